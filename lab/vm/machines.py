"""Create, stop and find VMs: each is a name, a folder (disk and context) and a launcher process."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.settings import NETNS, SERVICES_IP, ZONE
from lab.vm import processes

_HERE = Path(__file__).resolve().parent
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYSTEMD_POWEROFF = signal.SIGRTMIN + 4  # systemd(1): "starts poweroff.target"
_BOOT_DEADLINE_S = 60.0  # 0.2 s on idle cores; a machine that is starved takes 20


class MachineError(RuntimeError):
    """The VM could not be made or reached; the text says which step refused and why."""


class MachineExistsError(MachineError):
    """A disk of that name is there already."""


@dataclass(frozen=True)
class MachineSpec:
    """What a VM is made of. `image` is a directory, `context` OpenNebula's CONTEXT as text."""

    image: Path
    ip: str
    mac: str
    context: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    memory_mb: int = 256
    vcpus: int = 1


class Machines:
    """All VMs below one folder. Holds no state in memory: any process may make one at any time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, name: str, spec: MachineSpec) -> None:
        """Make a private disk over the image and boot it. Returns once its processes run.

        Raises MachineExistsError when a disk of that name is there, MachineError when a step
        refuses; then nothing is left behind.
        """
        folder = self._folder(name)
        if folder.exists():
            raise MachineExistsError(f"VM {name} is there already")
        for part in ("up", "work", "root"):
            (folder / part).mkdir(parents=True, mode=0o755)
        folder.chmod(0o700)
        (folder / "image").write_text(str(spec.image))
        try:
            self.start(name, spec)
        except BaseException:
            self.destroy(name)
            raise

    def start(self, name: str, spec: MachineSpec | None = None) -> None:
        """Boot from the kept disk. With a spec, its address and context replace the old ones."""
        folder = self._known(name)
        if self.is_running(name):
            return
        if spec is not None:
            self._write_spec(folder, spec)
        self._sweep(name)
        self._launch(name, folder)

    def shutdown(self, name: str) -> None:
        """Ask systemd inside to power off. Returns at once; the disk is kept."""
        init = self._init(name)
        if init is not None:
            processes.send(init, _SYSTEMD_POWEROFF)

    def stop(self, name: str) -> None:
        """Pull the plug and keep the disk. Idempotent; returns when nothing of it runs."""
        launcher = self._launcher(name)
        if launcher is not None:
            processes.send(launcher, signal.SIGTERM)
            if not processes.gone(launcher, 5.0):
                processes.send(launcher, signal.SIGKILL)  # takes the VM with it (--kill-child)
                processes.gone(launcher, 5.0)
        self._sweep(name)
        (self._folder(name) / "pid").unlink(missing_ok=True)

    def destroy(self, name: str) -> None:
        """Stop it and remove its disk. Idempotent: an unknown name is fine."""
        self.stop(name)
        shutil.rmtree(self._folder(name), ignore_errors=True)

    def is_running(self, name: str) -> bool:
        """Whether its first process is alive, whoever started it."""
        return self._launcher(name) is not None

    def exists(self, name: str) -> bool:
        """Whether it has a disk, running or not."""
        return self._folder(name).is_dir()

    def names(self) -> list[str]:
        """All VMs that have a disk."""
        return sorted(p.name for p in self.root.iterdir()) if self.root.is_dir() else []

    def update_context(self, name: str, context: Mapping[str, str], token: str = "") -> None:
        """Replace what the VM reads as its context, now or at its next boot."""
        _write_context(self._known(name), context, token)

    def run(
        self, name: str, command: Sequence[str], timeout: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside, as root. MachineError when the VM does not run."""
        init = self._init(name)
        if init is None:
            raise MachineError(f"VM {name} does not run")
        enter = ["nsenter", f"--target={init.pid}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        enter += ["--cgroup", "--root", "--wd=/", "--", "env", "-i", "HOME=/root", "LANG=C.UTF-8"]
        enter += ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, timeout=timeout, check=False
        )

    def console(self, name: str) -> str:
        """What the VM's system manager wrote while it booted."""
        path = self._folder(name) / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise MachineError(f"{name!r} is not a name for a VM: [a-z0-9-], at most 40")
        return self.root / name

    def _known(self, name: str) -> Path:
        folder = self._folder(name)
        if not folder.is_dir():
            raise MachineError(f"VM {name} has no disk")
        return folder

    def _write_spec(self, folder: Path, spec: MachineSpec) -> None:
        (folder / "nic").write_text(f"{spec.ip} {spec.mac}\n")
        (folder / "memory").write_text(str(spec.memory_mb))
        _write_context(folder, spec.context, spec.token)
        etc = folder / "up" / "etc"
        etc.mkdir(exist_ok=True)
        hostname = spec.context.get("SET_HOSTNAME", folder.name)
        (etc / "hostname").write_text(f"{hostname}\n")
        (etc / "resolv.conf").write_text(f"nameserver {SERVICES_IP}\nsearch {ZONE}\n")
        alias = hostname.split(".", 1)[0]
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{spec.ip} {hostname} {alias}\n")

    def _launch(self, name: str, folder: Path) -> None:
        image = (folder / "image").read_text()
        with (folder / "console.log").open("wb") as console:
            # --fork makes the launcher an orphan: it must not be waited for by whoever asked.
            subprocess.run(
                ["setsid", "--fork", str(_HERE / "launch"), name, str(folder), image, NETNS],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd="/",
                check=True,
            )
        deadline = time.monotonic() + _BOOT_DEADLINE_S
        while (init := self._init(name)) is None or processes.name(init) != "systemd":
            if time.monotonic() > deadline:
                reason = self.console(name)[-300:].strip() or "its launcher said nothing"
                self.stop(name)
                raise MachineError(f"VM {name} did not start: {reason}")
            time.sleep(0.01)

    def _launcher(self, name: str) -> processes.Process | None:
        try:
            pid, started = (self._folder(name) / "pid").read_text().split()
        except (OSError, ValueError):
            return None
        return processes.find(int(pid), started)

    def _init(self, name: str) -> processes.Process | None:
        """The VM's pid 1 as the host sees it: launcher -> unshare -> init."""
        launcher = self._launcher(name)
        unshare = processes.child(launcher, "unshare") if launcher else None
        return processes.child(unshare) if unshare else None

    def _sweep(self, name: str) -> None:
        subprocess.run([str(_HERE / "sweep"), name, NETNS], check=False, capture_output=True)


def _write_context(folder: Path, context: Mapping[str, str], token: str) -> None:
    target = folder / "up" / "var" / "lib" / "context"
    target.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}={shlex.quote(value)}" for key, value in context.items() if _KEY.fullmatch(key)]
    _private(target / "context.sh", "\n".join(lines) + "\n")
    if token:
        _private(target / "token.txt", token)


def _private(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.rename(path)
