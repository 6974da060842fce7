"""What holds for the whole fleet: `fleet.yaml`, in the folder above the services."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from include.catalogue.loader import CatalogueError, catalogue_folder, parse
from include.catalogue.maintenance import Budget, ClockTime, TimeZone
from include.catalogue.model import Service
from include.catalogue.notifier import Notifier
from include.catalogue.types import Duration, Part, Sentence, ServiceName, ShortName

Count = Annotated[int, Field(ge=1)]


class FleetException(Part):
    """A service that is left out of the daily rotation, by whom, why and until when."""

    service: ServiceName
    """Service that is left out."""
    reason: Sentence
    """Why; the proof of each day says so."""
    owner: Sentence
    """Who answers for that."""
    expires: date
    """First day on which the exception holds no more: 2027-01-10."""


class Rotation(Part):
    """When the daily rotation runs."""

    starts: ClockTime = time(1, 0)
    """When the daily rotation begins."""
    time_zone: TimeZone = "UTC"
    """In which `starts` is meant; it decides which day it is, too."""
    spread: Duration = timedelta(hours=2)
    """Time after `starts` within which each service has its own minute."""
    duration: Duration = timedelta(hours=23)
    """Time after `starts` in which a service may still be started."""


class Budgets(Part):
    """How much may be under way at once."""

    services: Count = 10
    """Number of services that are rotated at once; an audit heals as many, beside these."""
    vms_above_plan: Count = 40
    """Number of VMs that may exist beside those of the services' plans."""
    vms_waiting: Count = 20
    """Number of VMs for OpenNebula to place and boot at once: small batches place fastest."""
    failures: Budget = 3
    """Number of failed services at which nothing more is started."""


class Proofs(Part):
    """Where the daily proof goes, and for how long."""

    store: Sentence | None = None
    """Path, as for ObjectStoragePath: s3://aws_default@bucket. Left out: below AIRFLOW_HOME."""
    key: ShortName = "snowmelt_proof"
    """Id of the Connection with the signing key."""
    keep: Duration = timedelta(days=400)
    """How long a proof is kept."""


class Fleet(Part):
    """The fleet, as `fleet.yaml` describes it."""

    rotation: Rotation = Rotation()
    budgets: Budgets = Budgets()
    max_age: Duration = timedelta(hours=26)
    """How old a VM may get of services whose file says nothing."""
    exceptions: tuple[FleetException, ...] = ()
    """Services that may not be rotated for a while."""
    proof: Proofs = Proofs()
    notify: tuple[Notifier, ...] = ()
    """Who is told when a run fails, with templates that know the `failure`. Left out: nobody."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that decides which day it is."""
        return ZoneInfo(self.rotation.time_zone)

    def today(self, now: datetime) -> date:
        """Return the date where the fleet is."""
        return now.astimezone(self.zone).date()

    def day(self, now: datetime) -> date:
        """Return the day whose rotation *now* belongs to: that of the last start.

        The morning after a start at 23:30 goes on with that night, and rebuilds nothing twice.
        """
        local = now.astimezone(self.zone)
        return local.date() - timedelta(days=local.time() < self.rotation.starts)

    def next_start(self, now: datetime) -> datetime:
        """Return when the daily rotation starts for the first time after *now*."""
        days = (self.today(now) + timedelta(days=number) for number in (0, 1))
        first, second = (datetime.combine(d, self.rotation.starts, self.zone) for d in days)
        return first if first.timestamp() > now.timestamp() else second

    def max_age_of(self, service: Service) -> timedelta:
        """Return how old a VM of *service* may get."""
        own = "max_age" in service.model_fields_set
        return service.max_age if own else self.max_age

    def settled(self, service: Service) -> Service:
        """Return *service* with what its file leaves to the fleet."""
        return service.model_copy(update={"max_age": self.max_age_of(service)})

    def allowed_failures(self, services: int) -> int:
        """Return the number of failed services at which nothing more is started."""
        budget = self.budgets.failures
        if isinstance(budget, int):
            return budget
        return max(1, math.ceil(services * int(budget[:-1]) / 100))


def fleet_file(folder: Path | None = None) -> Path:
    """Return where `fleet.yaml` is: above the folder of the services."""
    return catalogue_folder(folder).parent / "fleet.yaml"


def load_fleet(file: Path | None = None) -> Fleet:
    """Return the fleet; without a file everything has its default. Raises `CatalogueError`."""
    file = file or fleet_file()
    if not file.exists():
        return Fleet()
    found = parse(file, Fleet)
    if isinstance(found, Fleet):
        return found
    raise CatalogueError(found)
