"""Airflow notifiers that a catalogue file names: made when there is something to tell, not before.

Their classes bring clients of their own, and DAG files are parsed far more often than they fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from include.catalogue.fleet import fleet_file, load_fleet
from include.catalogue.loader import CatalogueError, Problem
from include.catalogue.notifier import Notifier
from snowmelt.errors import Missing, Refused

if TYPE_CHECKING:
    from airflow.sdk import Context

_FIX = "is its provider installed, and the name right?"


def not_there() -> Iterator[Problem]:
    """Yield the notifiers of `fleet.yaml` whose module is not there, without loading any.

    Before the first failure, that is: nobody reads the log of a dag-processor at night.
    """
    try:
        named = load_fleet().notify
    except CatalogueError:
        return  # told by itself
    for number, each in enumerate(named):
        if not _has_module(each.notifier):
            yield Problem(fleet_file(), f"notify.{number}.notifier", f"no {each.notifier}: {_FIX}")


def _has_module(path: str) -> bool:
    try:
        return find_spec(path.rpartition(".")[0]) is not None
    except ImportError:  # of a package above it
        return False


def send(by: Notifier, context: Context, **told: Any) -> None:
    """Let one notifier send; its templates know the context and what is *told*."""
    _made(by)({**context, **told})


def _made(by: Notifier) -> Any:
    try:
        return _kind(by.notifier)(**by.arguments)
    except TypeError as error:
        raise Refused(f"{by.notifier}: {error}: mend its arguments") from error


def _kind(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Missing(f"{path}: {error}: {_FIX}") from error
