"""All that is wrong with the catalogue at once, for whoever has to mend it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from include.catalogue.fleet import Fleet, fleet_file, load_fleet
from include.catalogue.loader import CatalogueError, Problem, service_names, try_all
from include.catalogue.model import Service
from include.fleet.calendar import open_spans


def all_problems(now: datetime) -> list[Problem]:
    """Return every mistake of every service's file, and of `fleet.yaml`."""
    services, found = try_all()
    try:
        fleet = load_fleet()
    except CatalogueError as error:
        return [*found, *error.problems]
    shut = [_never(fleet, file) for file, each in services.items() if never_opens(fleet, each, now)]
    return [*found, *shut, *for_nobody(fleet, service_names(), fleet.today(now))]


def never_opens(fleet: Fleet, service: Service, now: datetime) -> bool:
    """Whether no window of a service is open while a rotation of the week may start something."""
    nights = [fleet.next_start(now + timedelta(days=number)) for number in range(7)]
    usual = service.maintenance.model_copy(update={"blackouts": ()})
    return not any(
        open_spans(service.name, usual, night, night + fleet.rotation.duration, timedelta(0))
        for night in nights
    )


def _never(fleet: Fleet, file: Path) -> Problem:
    starts = f"{fleet.rotation.starts:%H:%M} {fleet.rotation.time_zone}"
    fix = f"no rotation meets them: it starts at {starts} and lasts {fleet.rotation.duration}"
    return Problem(file, "maintenance.windows", f"{fix}; see rotation in {fleet_file().name}")


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
