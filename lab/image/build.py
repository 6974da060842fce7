"""Build the VM image once per recipe; the second lab-up finds it in the cache."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    "ca-certificates,iproute2,curl,procps,netbase,puppet-agent,ruby,nagios-nrpe-server,"
    "monitoring-plugins-basic,nftables,systemd,systemd-sysv,dbus"
)
SUITE = "bookworm"
RECIPE = Path(__file__).resolve().parent
APT = Path("/etc/apt")
_OF_SUITE = re.compile(rf"(?<![\w-]){SUITE}(?![\w-])")  # not somebody's "tool-bookworm"
_OPTIONS = (
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=force-unsafe-io",
)


class ImageError(RuntimeError):
    """The image could not be built; the text names the log."""


def recipe_hash() -> str:
    """Twelve hex digits that change with anything that goes into the image."""
    digest = hashlib.sha256("\n".join((PACKAGES, SUITE, *_OPTIONS)).encode())
    for part in sorted(RECIPE.iterdir()):
        if part.suffix != ".py" and part.is_file():
            digest.update(part.read_bytes())
    return digest.hexdigest()[:12]


def image_path(images: Path) -> Path:
    """Where the image of the present recipe is or will be."""
    return images / f"debian-12-{recipe_hash()}"


def build(images: Path) -> Path:
    """The image's root file system (a directory), built if it is not in the cache.

    Takes 30–70 s the first time (260 MB) and needs the machine's own Debian mirror.
    """
    final = image_path(images)
    if final.is_dir():
        return final
    images.mkdir(parents=True, exist_ok=True)
    with (images / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would make it twice
        if not final.is_dir():
            _build(images, final)
    return final


def _build(images: Path, final: Path) -> None:
    unfinished = images / f".{final.name}"
    shutil.rmtree(unfinished, ignore_errors=True)  # of a build that was killed
    try:
        _mmdebstrap(unfinished, images / "build.log")
        unfinished.rename(final)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _mmdebstrap(target: Path, log: Path) -> None:
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}"]
    command += [*_OPTIONS, *_proxies()]
    command += [f'--customize-hook={RECIPE / "customise"} "$1"', SUITE, str(target), "-"]
    with log.open("wb") as output, sources().open("rb") as feed:
        done = subprocess.run(
            command, stdin=feed, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()[-3:]
        raise ImageError(f"mmdebstrap ended with {done.returncode}, see {log}: {' / '.join(tail)}")


def sources(apt: Path = APT) -> Path:
    """The machine's own Debian sources: the image comes from where the machine itself came from.

    Raises ImageError when apt has none of the suite.
    """
    folder = apt / "sources.list.d"
    usual = [folder / "debian.sources", apt / "sources.list"]
    others = [*sorted(folder.glob("*.sources")), *sorted(folder.glob("*.list"))]
    for path in [*usual, *others]:
        if path.is_file() and _OF_SUITE.search(path.read_text(encoding="utf-8")):
            return path
    raise ImageError(f"no package sources of Debian {SUITE} in {apt}")


def _proxies() -> list[str]:
    """apt's proxies of this machine, which mmdebstrap's own apt does not see."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    wanted = ("Acquire::http::Proxy ", "Acquire::https::Proxy ", "Acquire::https::CAInfo ")
    return [f"--aptopt={line}" for line in dump.stdout.splitlines() if line.startswith(wanted)]


def forget_old(images: Path, proc: Path = Path("/proc")) -> None:
    """Remove images of older recipes (260 MB each), unless a lab runs that may stand on one."""
    if lab_runs(proc):
        return
    keep = image_path(images)
    for other in images.glob("debian-12-*"):
        if other != keep:
            shutil.rmtree(other, ignore_errors=True)


def lab_runs(proc: Path) -> bool:
    """Whether any lab of this machine has a front-end or a VM, told by their processes."""
    for process in proc.glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"lab.opennebula" in words or any(word.endswith(b"/lab/vm/launch") for word in words):
            return True
    return False
