"""All that is wrong with the catalogue at once, for whoever has to mend it."""

from __future__ import annotations

import re
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
    requests_folder,
    service_names,
    try_all,
)
from include.catalogue.model import Service
from include.fleet.pauses import longest_pause

# The hour when clocks change, and the minutes by which a turn may be later than yesterday's: the
# proof of the day comes after the turn, and finds new VMs.
_SLACK = timedelta(hours=2)

# What a service's file has at its top and no other has: a name, and two of these parts. Keys are
# looked for in the text: a parser stops at a mistake, and what others wrote may be long or deep.
_KEY = re.compile(r"^([a-z_]+) *:", re.MULTILINE)
_PARTS = frozenset({"opennebula", "dns", "puppet"})
_ABOVE = {"fleet": frozenset(Fleet.model_fields), "requests": frozenset({"offers", "sizes"})}
_HEAD = 64 * 1024  # bytes; a service has some 1,500


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
    yield from _too_high(folder)


def _too_high(folder: Path) -> Iterator[Problem]:
    """Yield what was meant for the catalogue, and stands above its folder where nobody looks.

    Others may have files there too, as in /etc, and they are left alone.
    """
    above, asked = folder.parent, requests_folder()
    if above.resolve() in {each.resolve() for each in (folder, asked) if each}:
        return
    for file in sorted(above.glob("*.y*ml")):
        if (place := _place_of(file, folder)) is None:
            continue
        name, taken = place.relative_to(above), place.exists()
        fix = f", and {name} is: take it away" if taken else f": move it to {name}"
        yield Problem(file, "", f"is not read{fix}")


def _place_of(file: Path, folder: Path) -> Path | None:
    """Return where a file above *folder* would be read; None where it is no such file of ours."""
    keys = _keys(file)
    if "name" in keys and len(keys & _PARTS) > 1:
        return folder / f"{file.stem}.yaml"
    if file.suffix == ".yml" and keys & _ABOVE.get(file.stem, frozenset()):
        return file.with_suffix(".yaml")
    return None


def _keys(file: Path) -> frozenset[str]:
    try:
        if not file.is_file():  # a pipe would be waited for
            return frozenset()
        with file.open("rb") as opened:
            text = opened.read(_HEAD).decode(errors="replace")
    except OSError:
        return frozenset()
    return frozenset(_KEY.findall(text))


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
