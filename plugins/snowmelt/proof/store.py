"""Where proofs and evidence live: a disk or an object store, through Airflow's own paths.

proof/2026-11-24.json, .html    one of each for a day
proof/keys/<fingerprint>.pem    the public keys, for whoever checks the chain
evidence/<service>/<rollout>.json
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import fsspec
from airflow.configuration import AIRFLOW_HOME
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from include.proof import day_of
from snowmelt.errors import Refused, Unreachable

STORE_VARIABLE = "SNOWMELT_STORE"
HALF = "."  # begins the name of a file that is being written


class Store:
    """Text files under one root; a file is there as a whole or not at all."""

    def __init__(self, root: str | None = None) -> None:
        given = os.environ.get(STORE_VARIABLE) or root or f"file://{AIRFLOW_HOME}/snowmelt"
        try:
            self.root = _opened(given)
        except (ValueError, ImportError) as error:
            raise Refused(f"proof.store {given}: {error}: is its provider installed?") from error

    def read(self, name: str) -> str | None:
        """Return a file, None when there is none; a byte that was spoilt shows as such."""
        try:
            return str((self.root / name).read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreachable(f"cannot read {self.root / name}: {error}") from error

    def write(self, name: str, text: str) -> None:
        """Write a file, instead of the one that is there."""
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if _is_on_disk(path):
                _write_whole(Path(path.path), text)
            else:
                path.write_text(text, encoding="utf-8")  # an object is put as a whole
        except OSError as error:
            raise Unreachable(f"cannot write {path}: {error}") from error

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, in order."""
        try:
            return sorted(path.name for path in (self.root / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):  # an object store has no empty folders
            return []
        except OSError as error:
            raise Unreachable(f"cannot list {self.root / folder}: {error}") from error

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone is fine. The last one takes its folder along."""
        path = self.root / name
        try:
            path.unlink(missing_ok=True)
            if _is_on_disk(path):
                _remove_if_empty(Path(path.path).parent)
        except OSError as error:
            raise Unreachable(f"cannot remove {self.root / name}: {error}") from error

    def days(self) -> list[str]:
        """Return the days that have a proof, the oldest first."""
        return [day for name in self.names("proof") if (day := day_of(name))]

    def refuse_if_chained(self, day: str) -> None:
        """Raise `Refused` when a later day is chained to the proof of *day*, or to none of it."""
        if later := [each for each in self.days() if each > day]:
            raise Refused(f"the proof of {day} stands: {later[0]} is chained to it")

    def proof(self, day: str) -> str | None:
        """Return the text of a day's proof."""
        return self.read(f"proof/{day}.json")


def _opened(given: str) -> ObjectStoragePath:
    """Return the path; what nothing can read is told here, not hours later to who writes."""
    root = ObjectStoragePath(given)
    if root.conn_id:
        attach(root.protocol, root.conn_id).fs  # noqa: B018
    else:
        fsspec.get_filesystem_class(root.protocol or "file")
    return root


def _is_on_disk(path: ObjectStoragePath) -> bool:
    return path.protocol in ("", "file")


def _write_whole(path: Path, text: str) -> None:
    half = path.with_name(f"{HALF}{path.name}.{os.getpid()}")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
