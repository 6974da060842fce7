"""The installation's signing key (Ed25519, RFC 8032).

The private key is the password of an Airflow Connection (PEM, PKCS 8), or a file that nobody
else can read, named by the Connection's extra `key_file`. An installation without the Connection
gets a key of its own beside AIRFLOW_HOME's other secrets, at the first proof.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from airflow.configuration import AIRFLOW_HOME
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from snowmelt.errors import Refused, Unreachable
from snowmelt.proof.public import fingerprint

KEY_FILE = "snowmelt-proof-key.pem"
_PEM = re.compile(rb"(-----BEGIN [A-Z ]+-----)(.+)(-----END [A-Z ]+-----)", re.DOTALL)


class Signer:
    """Signs with the installation's key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_pem = key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        self.fingerprint = fingerprint(key.public_key())

    def sign(self, data: bytes) -> str:
        """Return the signature of *data*, in base64."""
        return b64encode(self._key.sign(data)).decode()


def signer_for(conn_id: str, known: Collection[str] = ()) -> Signer:
    """Return the signer of a Connection, or of the installation's own file without it.

    Airflow says "not found" also while a secrets backend does not answer. So where others have
    signed (*known*, by their fingerprints), no key is made in their place: `Unreachable`.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        return _own_signer(conn_id, known, error)
    if connection.password:
        return Signer(_private(connection.password.encode(), f"connection {conn_id}"))
    file = connection.extra_dejson.get("key_file")
    if not file:
        raise Refused(f"connection {conn_id} has neither a password nor a key_file")
    return Signer(read_private(Path(file)))


def _own_signer(conn_id: str, known: Collection[str], error: Exception) -> Signer:
    file = Path(AIRFLOW_HOME) / KEY_FILE
    if known and not file.exists():
        raise Unreachable(
            f"there is no connection {conn_id}, and the proofs so far are signed by a key that is"
            " not here: make the connection, with that key or a new one"
        ) from error
    signer = Signer(_own_key(file))
    if known and signer.fingerprint not in known:
        raise Unreachable(
            f"there is no connection {conn_id}, and {file} has signed none of the proofs so far:"
            " make the connection, with the key that has, or with this one"
        ) from error
    return signer


def read_private(file: Path) -> Ed25519PrivateKey:
    """Return the key in a file; `Refused` when others can read it."""
    try:
        mode, pem = file.stat().st_mode, file.read_bytes()
    except OSError as error:
        raise Refused(f"the signing key {file}: {error.strerror}") from error
    if mode & 0o077:
        raise Refused(f"the signing key {file} can be read by others: chmod 600 {file}")
    return _private(pem, str(file))


def _own_key(file: Path) -> Ed25519PrivateKey:
    """Return the key in *file*, which is made at the first time; who comes second takes that."""
    if not file.exists():
        half = file.with_name(f".{file.name}.{os.getpid()}")
        half.unlink(missing_ok=True)
        half.touch(mode=0o600)
        half.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        )
        with suppress(FileExistsError):
            file.hardlink_to(half)
        half.unlink()
    return read_private(file)


def _with_lines(pem: bytes) -> bytes:
    """A password field of a form makes spaces of line ends, and PEM needs them."""
    parts = _PEM.fullmatch(pem.strip())
    if parts is None:
        return pem
    head, body, foot = parts.groups()
    return b"\n".join((head, *body.split(), foot, b""))


def _private(pem: bytes, where: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_with_lines(pem), password=None)
    except (ValueError, TypeError) as error:
        raise Refused(f"{where} holds no private key in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(f"{where} holds a key of another kind: make one with Ed25519")
    return key
