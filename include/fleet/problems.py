"""All that is wrong with the catalogue at once, for whoever has to mend it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from include.catalogue.fleet import Fleet, fleet_file, load_fleet
from include.catalogue.loader import (
    FOLDER_VARIABLE,
    CatalogueError,
    Problem,
    catalogue_folder,
    service_names,
    try_all,
)
from include.catalogue.model import Service
from include.fleet.pauses import longest_pause

# The hour when clocks change, and the minutes by which a turn may be later than yesterday's: the
# proof of the day comes after the turn, and finds new VMs.
_SLACK = timedelta(hours=2)


def all_problems(now: datetime) -> list[Problem]:
    """Return every mistake of every service's file, and of `fleet.yaml`."""
    services, broken = try_all()
    found = [*_not_read(catalogue_folder()), *broken]
    try:
        fleet = load_fleet()
    except CatalogueError as error:
        return [*found, *error.problems]
    for file, each in services.items():
        found += [*_too_many(file, each), *_late(fleet, file, each, now)]
    return [*found, *for_nobody(fleet, service_names(), fleet.today(now))]


def _not_read(folder: Path) -> Iterator[Problem]:
    """Yield why there are fewer services than somebody has written."""
    if not folder.is_dir():
        yield Problem(folder, "", f"is no folder: {FOLDER_VARIABLE} names that of the services")
    for file in sorted(folder.glob("*.yml")):
        yield Problem(file, "", f"is not read: call it {file.stem}.yaml")


def _too_many(file: Path, service: Service) -> Iterator[Problem]:
    if (limit := service.limits.retire) < service.replicas:
        fix = f"{limit}, and there are {service.replicas} replicas: a rotation is refused; raise it"
        yield Problem(file, "limits.retire", fix)


def _late(fleet: Fleet, file: Path, service: Service, now: datetime) -> Iterator[Problem]:
    """Yield what is too old, by the calendar alone, before its turn comes again."""
    maintenance, allowed = service.maintenance, fleet.max_age_of(service)
    usual = maintenance.model_copy(update={"blackouts": ()})  # these are exceptions in the proof
    pause = longest_pause(fleet, service.name, usual, now)
    if pause is None:
        starts = f"{fleet.rotation.starts:%H:%M} {fleet.rotation.time_zone}"
        fix = f"no rotation meets them: it starts at {starts} and lasts {fleet.rotation.duration}"
        yield Problem(file, "maintenance.windows", f"{fix}; see rotation in {fleet_file().name}")
        return
    if pause > allowed + _SLACK:
        yield Problem(file, "max_age", f"{_hours(allowed)}, and its turns are {_apart(pause)}")
    dark = maintenance.blackouts and longest_pause(fleet, service.name, maintenance, now)
    whole = dark or pause
    needed, ttl = max(allowed, whole), service.puppet.certificate_ttl
    if ttl <= needed:
        fix = f"{_hours(ttl)}, and a VM may get {_hours(needed)} old: let it last longer"
        yield Problem(file, "puppet.certificate_ttl", f"{fix}, or its windows be closer")


def _apart(pause: timedelta) -> str:
    return f"up to {_hours(pause)} apart: raise it, and puppet.certificate_ttl above it"


def _hours(duration: timedelta) -> str:
    return f"{duration / timedelta(hours=1):.0f} h"


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
