"""Airflow's own secrets: made once per lab, mode 0600, owned by the user `lab`."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from lab.airflow.place import LAB_UID, Place

USERS = {"admin": "admin", "op": "op", "viewer": "viewer"}  # name -> role


@dataclass(frozen=True, kw_only=True, slots=True)
class Secrets:
    """What Airflow's processes are given in their environment."""

    fernet: str
    jwt: str
    session: str
    passwords: Path  # JSON, user name -> password; the simple auth manager reads it
    database: str


def kept(path: Path, make: Callable[[], str]) -> str:
    """Return what stands in *path*; the first call makes it."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        os.chown(path, LAB_UID, LAB_UID)
    return path.read_text().strip()


def load(place: Place) -> Secrets:
    """Return the lab's secrets, made now if this is the first start.

    Raises:
        FileNotFoundError: lab-up has not made Airflow's database yet.
    """
    passwords = place.secrets / "passwords.json"
    kept(passwords, lambda: json.dumps({user: secrets.token_urlsafe(12) for user in USERS}))
    return Secrets(
        fernet=kept(place.secrets / "fernet", lambda: Fernet.generate_key().decode()),
        jwt=kept(place.secrets / "jwt", lambda: secrets.token_hex(64)),
        session=kept(place.secrets / "session", lambda: secrets.token_hex(32)),
        passwords=passwords,
        database=place.database_password.read_text().strip(),
    )


def password(place: Place, user: str = "admin") -> str:
    """Return the password of a user of the UI and the REST API."""
    found: str = json.loads((place.secrets / "passwords.json").read_text())[user]
    return found
