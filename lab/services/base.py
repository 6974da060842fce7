"""What every service of the lab has in common."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.settings import UID
from lab.supervisor import Program


@dataclass(frozen=True)
class Service:
    """A supervised part of the lab.

    `prepare` writes its files and is run once per lab; `ready` says whether it is of use, and is
    asked from inside the lab's network; `needs` names the steps of lab-up that come first.
    """

    program: Program
    prepare: Callable[[], None]
    ready: Callable[[], bool]
    needs: tuple[str, ...] = ()
    patience_s: float = 30.0

    @property
    def name(self) -> str:
        return self.program.name


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file (its folder made too), readable as `mode` says from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.chmod(mode)
    fresh.rename(path)


def secret(path: Path, owner: int = UID, length: int = 24) -> str:
    """The secret kept in `path`, made up by the first call; mode 0600."""
    if not path.exists():
        write(path, secrets.token_urlsafe(length), 0o600)
        os.chown(path, owner, owner)
    return path.read_text(encoding="utf-8").strip()


def give(*paths: Path, owner: int = UID) -> None:
    """Hand whole folders to the account that runs the services."""
    for path in paths:
        os.chown(path, owner, owner)
        for below in path.rglob("*"):
            os.lchown(below, owner, owner)


def folders(*paths: Path) -> None:
    """Make folders and what is above them."""
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a distribution's own configuration file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def listens(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def answers(host: str, port: int, path: str, expect: bytes, tls: bool = True) -> bool:
    """Whether GET `path` is answered with `expect` in it.

    The certificate is not checked: this asks whether a process is up, not who it is.
    """
    connection: http.client.HTTPConnection
    if tls:
        anyone = ssl.create_default_context()
        anyone.check_hostname = False
        anyone.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=3, context=anyone)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", path)
        return expect in connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
