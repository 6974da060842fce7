"""The folder of services that people asked for: one file each, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml

from include.catalogue.loader import (
    REQUESTS_VARIABLE,
    requested_names,
    requests_folder,
    service_names,
)
from include.catalogue.model import Service
from include.verdict import Outcome
from snowmelt.catalogue import settled_service
from snowmelt.errors import Conflict, Missing, Refused

# what is kept of each request, by the ends of its files' names; only entries are read as services
ENTRY, BEFORE, TOLD = "yaml", "before", "reminded"


class RequestsHook:
    """Keeps entries where all parts of Airflow see them: a folder that they share."""

    def names(self) -> tuple[str, ...]:
        """Return the names of what was asked for and has not gone."""
        return requested_names()

    def read(self, name: str) -> Service:
        """Return one entry."""
        if name not in self.names():
            raise Missing(f"nobody asked for {name}, or it has gone")
        return settled_service(name)

    def ensure(self, entry: Service) -> Outcome:
        """Add the entry. The same again is unchanged; another one of its name is a conflict."""
        if entry.name in self.names():
            if self.read(entry.name) == entry:
                return Outcome.UNCHANGED
            raise Conflict(
                f"{entry.name} is taken: choose another name, keep that one longer"
                f" (extend_request), or end it first (expire_requests, end_now={entry.name})"
            )
        if entry.name in service_names():
            raise Conflict(f"{entry.name} is a service of the catalogue: choose another name")
        file = _file(entry.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with _written(entry) as whole:
            try:
                os.link(whole, file)  # unlike a rename it never takes a place that is taken
            except FileExistsError as error:
                raise Conflict(f"{entry.name} was taken a moment ago") from error
        return Outcome.CREATED

    def change(self, entry: Service) -> Outcome:
        """Put *entry* in the place of the one that has its name."""
        if self.read(entry.name) == entry:
            return Outcome.UNCHANGED
        with _written(entry) as whole:
            whole.replace(_file(entry.name))
        return Outcome.CREATED

    def extend(self, entry: Service) -> Outcome:
        """Put *entry* in the place of the one that has its name, and keep that one beside it.

        What is kept is what held last: it stays there until `settle` or `take_back`.
        """
        if self.read(entry.name) == entry:
            return Outcome.UNCHANGED
        with suppress(FileExistsError):
            os.link(_file(entry.name), _file(entry.name, BEFORE))
        return self.change(entry)

    def settle(self, entry: Service) -> None:
        """Let *entry* hold; where somebody has changed it once more, that goes back to *entry*.

        An end that is later stays: a change that came after this one was settled before it.
        """
        before, now = _file(entry.name, BEFORE), self.read(entry.name)
        if before.exists() and now != entry:
            with _written(entry) as whole:
                whole.replace(before)
            return
        if ends_before(now, entry):
            self.change(entry)
        before.unlink(missing_ok=True)

    def take_back(self, entry: Service) -> Service:
        """Put back what held before *entry*, unless it was changed once more; return what holds."""
        before = _file(entry.name, BEFORE)
        if before.exists() and self.read(entry.name) == entry:
            before.replace(_file(entry.name))
        return self.read(entry.name)

    def written_at(self, name: str) -> datetime:
        """Return when the entry got the end that it has."""
        return datetime.fromtimestamp(_file(name).stat().st_mtime, UTC)

    def told(self, entry: Service) -> int:
        """Return how often its owner was told of this end."""
        file = _file(entry.name, TOLD)
        return file.read_text().splitlines().count(_end(entry)) if file.exists() else 0

    def note_told(self, entry: Service) -> None:
        """Note that its owner was told of this end once more."""
        with _file(entry.name, TOLD).open("a") as file:
            file.write(f"{_end(entry)}\n")

    def remove(self, name: str) -> Outcome:
        """Remove the entry; with it goes the DAG of its rollout."""
        for what in (BEFORE, TOLD):
            _file(name, what).unlink(missing_ok=True)
        file = _file(name)
        if not file.exists():
            return Outcome.UNCHANGED
        file.unlink(missing_ok=True)
        return Outcome.REMOVED


def ends_before(one: Service, other: Service) -> bool:
    """Return whether *one* has the earlier end; what has none lasts for ever."""
    ever = datetime.max.replace(tzinfo=UTC)
    return (one.expires_at or ever) < (other.expires_at or ever)


@contextmanager
def _written(entry: Service) -> Iterator[Path]:
    """Give a file beside the others with the whole entry in it; it is gone afterwards."""
    data = entry.model_dump(mode="json", exclude_unset=True)
    folder = _file(entry.name).parent
    with NamedTemporaryFile("w", dir=folder, prefix=".", suffix=".new", delete=False) as file:
        yaml.safe_dump(data, file, sort_keys=False, allow_unicode=True)
        file.flush()
        os.fsync(file.fileno())
    path = Path(file.name)
    try:
        path.chmod(0o644)  # the dag-processor may be another user
        yield path
    finally:
        path.unlink(missing_ok=True)  # a replace has moved it


def _end(entry: Service) -> str:
    return entry.expires_at.isoformat() if entry.expires_at else ""


def _file(name: str, what: str = ENTRY) -> Path:
    folder = requests_folder()
    if folder is None:
        raise Refused(f"nobody can ask for VMs here: {REQUESTS_VARIABLE} names no folder")
    return folder / f"{name}.{what}"
