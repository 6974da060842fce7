"""One command on another machine, over SSH with keys on both ends (RFC 4252, 4253)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import paramiko

from snowmelt.errors import NotAllowed, Refused, Unreachable
from snowmelt.hooks.connection import TIMEOUT

_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Where and as whom, with our key, and the other end's, which it has to show."""

    host: str
    port: int
    user: str
    key: paramiko.PKey = field(repr=False)
    host_key: paramiko.PKey

    def run(self, command: str, text: str) -> tuple[int, str, str]:
        """Give *text* to *command* and return its exit code, output and complaints."""
        with _errors(self.host), paramiko.SSHClient() as client:
            name = self.host if self.port == _SSH_PORT else f"[{self.host}]:{self.port}"
            client.get_host_keys().add(name, self.host_key.get_name(), self.host_key)
            client.connect(
                self.host,
                self.port,
                self.user,
                pkey=self.key,
                timeout=TIMEOUT[0],
                banner_timeout=TIMEOUT[1],
                auth_timeout=TIMEOUT[1],
                allow_agent=False,
                look_for_keys=False,
            )
            stdin, stdout, stderr = client.exec_command(command, timeout=TIMEOUT[1])
            stdin.write(text)
            stdin.channel.shutdown_write()
            said, complained = stdout.read().decode(), stderr.read().decode()
            return stdout.channel.recv_exit_status(), said, complained


def private_key(path: str) -> paramiko.PKey:
    """Return the key in a file; ValueError says what is wrong with it."""
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise ValueError(f"no private key without a passphrase in {path}: {error}") from error


def public_key(text: str) -> paramiko.PKey:
    """Return the key of a line of known_hosts without its names; ValueError for any other text."""
    kind, _, encoded = text.strip().partition(" ")
    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(encoded.partition(" ")[0]))
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        told = f"no host key as in known_hosts (ssh-ed25519 AAAA…): {text[:30]!r}"
        raise ValueError(told) from error


@contextmanager
def _errors(host: str) -> Iterator[None]:
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise Refused(f"{host} shows another host key than the Connection has") from error
    except paramiko.AuthenticationException as error:
        raise NotAllowed(f"{host} does not take our key: {error}") from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(f"{host} over SSH: {error}") from error
