"""The folder of services that people asked for: one file each, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml

from include.catalogue.loader import (
    REQUESTS_VARIABLE,
    CatalogueError,
    load_service,
    requested_names,
    requests_folder,
    service_names,
)
from include.catalogue.model import Service
from include.verdict import Outcome
from snowmelt.errors import Conflict, Missing, Refused


class RequestsHook:
    """Keeps entries where all parts of Airflow see them: a folder that they share."""

    def names(self) -> tuple[str, ...]:
        """Return the names of what was asked for and has not gone."""
        return requested_names()

    def read(self, name: str) -> Service:
        """Return one entry."""
        if name not in self.names():
            raise Missing(f"nobody asked for {name}, or it has gone")
        try:
            return load_service(name)
        except CatalogueError as error:
            raise Refused(str(error)) from error

    def ensure(self, entry: Service) -> Outcome:
        """Add the entry. The same again is unchanged; another one of its name is a conflict."""
        if entry.name in self.names():
            if self.read(entry.name) == entry:
                return Outcome.UNCHANGED
            raise Conflict(f"{entry.name} is taken: choose another name, or extend it")
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

    def remove(self, name: str) -> Outcome:
        """Remove the entry; with it goes the DAG of its rollout."""
        file = _file(name)
        if not file.exists():
            return Outcome.UNCHANGED
        file.unlink(missing_ok=True)
        return Outcome.REMOVED


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


def _file(name: str) -> Path:
    folder = requests_folder()
    if folder is None:
        raise Refused(f"nobody can ask for VMs here: {REQUESTS_VARIABLE} names no folder")
    return folder / f"{name}.yaml"
