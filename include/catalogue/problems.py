"""All that is wrong with the catalogue at once, for whoever has to mend it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from difflib import get_close_matches

from include.catalogue.fleet import Fleet, fleet_file, load_fleet
from include.catalogue.loader import CatalogueError, Problem, load_all, service_names


def all_problems(now: datetime) -> list[Problem]:
    """Return every mistake of every service's file, and of `fleet.yaml`."""
    found: list[Problem] = []
    try:
        load_all()
    except CatalogueError as error:
        found += error.problems
    try:
        fleet = load_fleet()
    except CatalogueError as error:
        return [*found, *error.problems]
    return [*found, *for_nobody(fleet, service_names(), fleet.day(now))]


def for_nobody(fleet: Fleet, names: Collection[str], today: date) -> list[Problem]:
    """Return the exceptions that hold *today* and name no service: it is rotated all the same."""
    return [
        Problem(fleet_file(), f"exceptions.{number}.service", _fix(each.service, names))
        for number, each in enumerate(fleet.exceptions)
        if today < each.expires and each.service not in names
    ]


def _fix(given: str, names: Collection[str]) -> str:
    like = get_close_matches(given, names, n=1)
    hint = f"is {like[0]} meant?" if like else "take the exception out"
    return f"no service is called {given}: {hint}"
