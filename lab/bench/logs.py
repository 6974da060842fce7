"""Keep Airflow's logs of a part that failed: the bench's world takes everything else with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.airflow.place import Place


@contextmanager
def kept(place: Place, folder: Path, failed: Callable[[], object]) -> Iterator[None]:
    """Copy the logs to *folder* when the block raises, or ends and *failed* says so.

    Those of the tasks lie in `tasks/`, the output of Airflow's processes in `processes/`. What an
    earlier run left in *folder* goes first, so what lies there is always of the last one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
    finally:
        if failed() or sys.exception():  # also SystemExit: it was ended from outside
            _copy(place.home / "logs", folder / "tasks")
            _copy(place.logs, folder / "processes")


def _copy(source: Path, target: Path) -> None:
    """Airflow still writes: a file that goes meanwhile is left out."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_file)


def _copy_file(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        shutil.copyfile(source, target)
