"""What this site tells a role's program, beside what its package says: hiera's `<role>::settings`.

It reaches a machine with its first Puppet run, so with the next rotation at the latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.services.base import write
from lab.settings import ZONE, Places

ASK_ACCOUNTS = {"accounts_url": f"http://accounts.{ZONE}/account"}  # for the role `shop`


def tell(places: Places, role: str, settings: Mapping[str, str]) -> None:
    """Make these the settings of *role* in the running lab's environment; none takes them back."""
    path = _file(places, role)
    values: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    values.pop(f"{role}::settings", None)
    if settings:
        values[f"{role}::settings"] = dict(settings)
    if values:
        write(path, yaml.safe_dump(values))
    else:
        path.unlink(missing_ok=True)


def _file(places: Places, role: str) -> Path:
    environment = places.of("puppet") / "code" / "environments" / "production"
    return environment / "data" / "roles" / f"{role}.yaml"
