"""Where the signing key comes from, and what a signature is worth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from snowmelt.errors import Refused, Unreachable
from snowmelt.proof.keys import Signer, signer_for
from snowmelt.proof.public import Keys

KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
PLAIN = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PEM = KEY.private_bytes(*PLAIN).decode()


def connected(monkeypatch: pytest.MonkeyPatch, password: str = "", **extra: Any) -> None:
    connection = SimpleNamespace(password=password, extra_dejson=extra)
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: connection)


@pytest.mark.parametrize("pem", [PEM, PEM.replace("\n", " "), f"\n{PEM}\n\n"])
def test_the_key_is_the_password_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, pem: str
) -> None:
    """A form's password field leaves no line ends."""
    connected(monkeypatch, pem)

    assert signer_for("snowmelt_proof").fingerprint == Signer(KEY).fingerprint


def test_the_key_is_in_a_file_that_the_connection_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_text(PEM)
    file.chmod(0o600)
    connected(monkeypatch, key_file=str(file))

    assert signer_for("snowmelt_proof").fingerprint == Signer(KEY).fingerprint
    file.chmod(0o640)
    with pytest.raises(Refused, match="can be read by others"):
        signer_for("snowmelt_proof")


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "neither a password nor a key_file"),
        ("hunter2", "holds no private key"),
        (generate_private_key(SECP256R1()).private_bytes(*PLAIN).decode(), "of another kind"),
    ],
)
def test_what_is_no_such_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, password: str, told: str
) -> None:
    connected(monkeypatch, password)

    with pytest.raises(Refused, match=told) as refused:
        signer_for("snowmelt_proof")
    assert not password or password not in str(refused.value)


def test_a_key_file_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, key_file="/nowhere/key.pem")

    with pytest.raises(Refused, match="the signing key /nowhere/key"):
        signer_for("snowmelt_proof")


def test_a_signature_is_good_for_its_text_and_key_only() -> None:
    signer, keys = Signer(KEY), Keys([Signer(KEY).public_pem, b"no key at all"])
    signature = signer.sign(b"text")

    assert len(keys) == 1
    assert keys.verified(signer.fingerprint, b"text", signature)
    assert not keys.verified(signer.fingerprint, b"texts", signature)
    assert not keys.verified("0" * 64, b"text", signature)
    assert not keys.verified(signer.fingerprint, b"text", "not base64!")


def test_another_spelling_of_the_same_signature_is_not_taken() -> None:
    """The last character of base64 has bits that nobody reads."""
    signer, keys = Signer(KEY), Keys([Signer(KEY).public_pem])
    signature = signer.sign(b"text")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(signature[-3]) + 1]

    assert not keys.verified(signer.fingerprint, b"text", f"{signature[:-3]}{last}==")


def without_connection(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def unknown(conn_id: str) -> None:
        raise AirflowNotFoundException(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", unknown)
    monkeypatch.setattr("snowmelt.proof.keys.AIRFLOW_HOME", str(home))


def test_an_installation_makes_its_key_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_connection(monkeypatch, tmp_path)
    first = signer_for("snowmelt_proof").fingerprint

    assert signer_for("snowmelt_proof", [first]).fingerprint == first


def test_no_key_is_made_in_the_place_of_one_that_cannot_be_had_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Airflow says "not found" too while the vault with the Connection is sealed."""
    without_connection(monkeypatch, tmp_path)
    others = Signer(KEY).fingerprint

    with pytest.raises(Unreachable, match="there is no connection snowmelt_proof"):
        signer_for("snowmelt_proof", [others])
    assert list(tmp_path.iterdir()) == []
    signer_for("snowmelt_proof")
    with pytest.raises(Unreachable, match="has signed none of the proofs"):
        signer_for("snowmelt_proof", [others])
