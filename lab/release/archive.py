"""A signed apt archive: what proves to a machine that a package comes from us."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.release.packages import RELEASES, build, extract_module
from lab.services.base import give, write
from lab.services.puppetserver import control_repository
from lab.settings import Places

_KEY_NAME = "Snowmelt lab archive <archive@lab.test>"
# What a release needs beside itself (ruby) is part of the VM image: installing takes 2 s, not 20.


def publish(places: Places) -> None:
    """Build all releases, sign their index and put their Puppet modules beside each other.

    Publishing a release means both at once: the package into the archive, and the Puppet module
    that it holds into the server's module path under the release's own name (`shop_1_1`). So
    machines of two releases are served side by side from one environment, each catalog names every
    resource of its release, and a package that does not install is a failed resource in the
    machine's Puppet report. Applying the manifest on the machine itself would hide all of that
    from PuppetDB.
    """
    archive, key = places.of("repo"), places.secrets / "archive-key"
    for unfinished in (archive, key):  # a try that was interrupted may have left half a key
        shutil.rmtree(unfinished, ignore_errors=True)
    archive.mkdir(parents=True)
    environment = control_repository(places)
    for release in RELEASES:
        extract_module(build(release, archive), release, environment / "releases")
    sign(archive, key)
    public = (archive / "archive.asc").read_text()
    write(environment / "modules" / "snowmelt_base" / "files" / "archive.asc", public)
    give(archive, places.of("puppet") / "code")


def sign(archive: Path, home: Path) -> None:
    """Write Packages, Release, Release.gpg and InRelease; the key is made by the first call."""
    index = _run(["apt-ftparchive", "packages", "."], archive)
    (archive / "Packages").write_bytes(index)
    for old in ("Release", "Release.gpg", "InRelease"):
        (archive / old).unlink(missing_ok=True)
    label = [
        "-o",
        "APT::FTPArchive::Release::Suite=lab",
        "-o",
        "APT::FTPArchive::Release::Label=lab",
    ]
    (archive / "Release").write_bytes(_run(["apt-ftparchive", *label, "release", "."], archive))
    # gpg-agent's socket path may have 107 characters at most: a short home for the time of signing.
    with tempfile.TemporaryDirectory() as short:
        _with_key(archive, home, Path(short))


def _with_key(archive: Path, home: Path, short: Path) -> None:
    gpg = ["gpg", "--batch", "--yes", "--homedir", str(short), "--pinentry-mode", "loopback"]
    try:
        if home.is_dir():
            shutil.copytree(home, short, dirs_exist_ok=True)
        else:
            make = [
                "--passphrase",
                "",
                "--quick-generate-key",
                _KEY_NAME,
                "ed25519",
                "sign",
                "never",
            ]
            _run([*gpg, *make], archive)
        _run([*gpg, "--armor", "--output", "Release.gpg", "--detach-sign", "Release"], archive)
        _run([*gpg, "--output", "InRelease", "--clear-sign", "Release"], archive)
        _run([*gpg, "--armor", "--output", "archive.asc", "--export"], archive)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(short), "--kill", "all"], check=False)
    sockets = shutil.ignore_patterns("S.*")
    shutil.copytree(short, home, dirs_exist_ok=True, ignore=sockets)
    home.chmod(0o700)
    for path in home.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _run(command: list[str], folder: Path) -> bytes:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
