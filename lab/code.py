"""With which code something was started: what runs does not notice that its files have changed."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from lab.settings import CHECKOUT

# Airflow loads it once, before it forks; its DAGs and the catalogue it reads again and again.
_AIRFLOW = (
    "plugins/**/*",
    "include/**/*.py",
    "include/**/*.json",
    "include/**/*.sh",
    "lab/airflow/*",
    "lab/settings.py",
    "requirements.txt",
)
# What the lab's services are, and what is laid out for them when it comes up.
_LAB = (
    "lab/*.py",
    *(f"lab/{part}/**/*" for part in ("image", "opennebula", "release", "services", "vm")),
    "include/puppet/**/*",
    "contrib/**/*",
    "requirements.txt",
)


def airflow(checkout: Path = CHECKOUT) -> str:
    """Return the checkout, and what stands for the code in it that Airflow runs with."""
    return _fingerprint(checkout, _AIRFLOW)


def lab(checkout: Path = CHECKOUT) -> str:
    """Return the checkout, and what stands for the code in it that the lab is made of."""
    return _fingerprint(checkout, _LAB)


def _fingerprint(checkout: Path, patterns: Iterable[str]) -> str:
    digest = sha256()
    for file in sorted({file for pattern in patterns for file in checkout.glob(pattern)}):
        if file.is_file() and file.suffix not in {".md", ".pyc"} and file.name[0] != ".":
            digest.update(f"{file.relative_to(checkout)}\0".encode())
            digest.update(sha256(file.read_bytes()).digest())
    return f"{checkout} {digest.hexdigest()[:16]}"
