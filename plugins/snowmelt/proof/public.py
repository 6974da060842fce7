"""The public keys of an installation, by which anybody can check its proofs without Airflow."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key (subject public key info), hex."""
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(info).hexdigest()


class Keys:
    """The public keys that an installation has signed with."""

    def __init__(self, pems: Iterable[bytes]) -> None:
        self._keys = {fingerprint(key): key for pem in pems if (key := _public(pem))}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def fingerprints(self) -> list[str]:
        """Their fingerprints, to be compared with what the installation says."""
        return sorted(self._keys)

    def verified(self, key: str, data: bytes, signature: str) -> bool:
        """Say whether *signature* is that of *data* by the key of that fingerprint."""
        if key not in self._keys:
            return False
        try:
            raw = b64decode(signature, validate=True)
            self._keys[key].verify(raw, data)
        except (ValueError, InvalidSignature):
            return False
        # base64 has more than one text for the same bytes, and only one of them was written
        return b64encode(raw).decode() == signature


def _public(pem: bytes) -> Ed25519PublicKey | None:
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        return None
    return key if isinstance(key, Ed25519PublicKey) else None
