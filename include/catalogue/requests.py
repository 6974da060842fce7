"""What people may ask for themselves: `requests.yaml`, in the folder above the services.

A requested VM is a service of one replica that expires, so it gets all that others get. The form
leaves little open: size and offer are names, and this file says what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from include.catalogue.loader import CatalogueError, Problem, catalogue_folder, mistakes, parse
from include.catalogue.model import Service
from include.catalogue.notifier import Notifier
from include.catalogue.parts import Size
from include.catalogue.types import (
    Duration,
    Part,
    ShortName,
    read_duration,
    write_duration,
)

# OpenNebula ends the VM by itself so long after its end, in case nobody did before
GRACE = timedelta(minutes=10)

# names of the services that try an image end so: refresh_image derives them
TRIAL = "-trial"


class RequestPolicy(Part):
    """What may be asked for, and for how long."""

    lifetime: Duration = timedelta(days=7)
    """How long a VM is kept when the form says nothing; at most `longest`."""
    longest: Duration = timedelta(days=30)
    """How long a VM may be kept, from each time that somebody asks."""
    remind: Duration = timedelta(days=1)
    """How long before the end the owner is reminded; of a short life, at its half."""
    reminders: tuple[Notifier, ...] = ()
    """Who carries a reminder: templates know the `request`. Left out: only the log has it."""
    sizes: dict[ShortName, Size] = Field(default_factory=dict)
    """Sizes, by the name that the form shows."""
    offers: dict[ShortName, dict[str, Any]] = Field(default_factory=dict)
    """Offers, by the name that the form shows: what they have beside `common`."""
    common: dict[str, Any] = Field(default_factory=dict)
    """What all offers share, in the words of a service's file."""

    @model_validator(mode="after")
    def _usual_is_allowed(self) -> Self:
        if self.lifetime > self.longest:
            raise ValueError("lifetime is longer than longest: who names none could get none")
        return self


def policy_file(folder: Path | None = None) -> Path:
    """Return where `requests.yaml` is: above the folder of the services."""
    return catalogue_folder(folder).parent / "requests.yaml"


def load_policy(file: Path | None = None) -> RequestPolicy:
    """Return the policy; without a file nothing can be asked for. Raises `CatalogueError`."""
    file = file or policy_file()
    if not file.exists():
        return RequestPolicy()
    found = parse(file, RequestPolicy)
    problems = _offers(file, found) if isinstance(found, RequestPolicy) else found
    if isinstance(found, RequestPolicy) and not problems:
        return found
    raise CatalogueError(problems)


def _offers(file: Path, policy: RequestPolicy) -> list[Problem]:
    """Return what would be wrong with the entry of each offer: who asks cannot mend it."""
    found: list[Problem] = []
    for offer in policy.offers:
        try:
            # whoever asks may name the release that an offer leaves open
            Service.model_validate({"release": "0"} | _entry(policy, offer, _ANY) | _SOMEBODY)
        except ValidationError as error:
            found += mistakes(file, error, "offers", offer)
    return found


_ANY = Size(cpu=1, vcpu=1, memory_mb=1024)
_SOMEBODY = {"name": "somebody", "owner": "somebody", "description": "any", "replicas": 1}


def _entry(policy: RequestPolicy, offer: str, size: Size) -> dict[str, Any]:
    entry = merged(policy.common, policy.offers[offer])
    return merged(entry, {"opennebula": size.model_dump()})


def new_request(
    policy: RequestPolicy, name: str, asked: Mapping[str, Any], now: datetime
) -> Service:
    """Return the entry that *asked* means; ValueError says what is wrong.

    *asked* has owner, purpose, size, offer, release ("" for the offer's own) and lifetime.
    """
    if name.endswith(TRIAL):
        raise ValueError(f"{name}: names that end in {TRIAL} are those of trials of images")
    entry = _entry(policy, _known("offer", policy.offers, asked), _size(policy, asked))
    entry |= {
        "name": name,
        "owner": asked["owner"],
        "description": asked["purpose"],
        "replicas": 1,
        "expires_at": end_of(policy, asked["lifetime"], now),
    }
    if asked["release"]:
        entry["release"] = asked["release"]
    return _service(entry)


def _size(policy: RequestPolicy, asked: Mapping[str, Any]) -> Size:
    return policy.sizes[_known("size", policy.sizes, asked)]


def _known(field: str, there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return the name that was chosen; what the form showed may have gone by now."""
    if (name := str(asked[field])) in there:
        return name
    names = ", ".join(there) or "none"
    raise ValueError(f"{field}: {name} is not in requests.yaml; there are {names}")


def _service(entry: dict[str, Any]) -> Service:
    try:
        return Service.model_validate(entry)
    except ValidationError as error:
        found = mistakes(policy_file(), error)
        raise ValueError("; ".join(f"{each.field}: {each.fix}" for each in found)) from error


def extended(policy: RequestPolicy, entry: Service, lifetime: str | None, now: datetime) -> Service:
    """Return *entry* with a new end, *lifetime* from now on."""
    given = entry.model_dump(exclude_unset=True)
    return _service(given | {"expires_at": end_of(policy, lifetime, now)})


def end_of(policy: RequestPolicy, lifetime: str | None, now: datetime) -> datetime:
    """Return when what is asked for now ends; ValueError where it may not last so long."""
    asked = read_duration(lifetime) if lifetime else policy.lifetime
    if not timedelta(0) < asked <= policy.longest:
        longest = write_duration(policy.longest)
        raise ValueError(f"a lifetime of {lifetime}: it may be {longest} at most")
    return (now + asked).replace(microsecond=0)


def expired(entries: Iterable[Service], now: datetime) -> list[Service]:
    """Return the entries that have come to their end."""
    return [entry for entry in entries if entry.expires_at and entry.expires_at <= now]


def is_ending(policy: RequestPolicy, entry: Service, since: datetime, now: datetime) -> bool:
    """Return whether the owner is to know of the end by now.

    What is short-lived has half of its life before it tells; *since* is when it got its end.
    """
    end = entry.expires_at
    return end is not None and end - min(policy.remind, (end - since) / 2) <= now


def merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, part by part; where both say something, *own* holds."""
    both = {**common, **own}
    for key, value in own.items():
        if isinstance(value, Mapping) and isinstance(common.get(key), Mapping):
            both[key] = merged(common[key], value)
    return both
