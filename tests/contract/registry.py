"""The list of scenarios, and what each needs from an endpoint."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.contract import scenarios
from tests.contract.cloud import Cloud
from tests.contract.site import Site


class Need(Enum):
    """What a scenario needs; the value says why it is skipped without it."""

    ADMIN = "needs a session of oneadmin's group (ONE_AUTH)"
    HOSTS = "needs a host, an image datastore and a system datastore with dummy drivers"
    SWITCHES = "needs the lab's failure switches or scripted drivers (ONE_SWITCHES)"
    ONEGATE = "needs a OneGate (ONE_ONEGATE)"
    TOKEN = "needs a VM's OneGate token, which only the lab's admin socket gives (ONE_SWITCHES)"
    EVENTS = "needs the hook event bus (ONE_EVENTS)"
    NO_ONEGATE = "needs an oned without ONEGATE_ENDPOINT"
    OWN = "needs the cloud for itself: hosts are disabled for a moment"


@dataclass(frozen=True)
class Scenario:
    """One situation: what happens in it, and what it needs."""

    name: str
    run: Callable[[Cloud], None]
    needs: frozenset[Need]

    def lacks(self, site: Site) -> list[str]:
        """Reasons why the scenario cannot run at an endpoint."""
        return [need.value for need in Need if need in self.needs and not _has(site, need)]


SCENARIOS: dict[str, Scenario] = {}


def scenario(*needs: Need) -> Callable[[Callable[[Cloud], None]], Callable[[Cloud], None]]:
    """Register a function as a scenario; needing hosts or switches implies the admin."""

    def register(run: Callable[[Cloud], None]) -> Callable[[Cloud], None]:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        SCENARIOS[name] = Scenario(name, run, frozenset(needs))
        return run

    return register


def load() -> list[Scenario]:
    """All scenarios, in the order of their files."""
    for module in pkgutil.iter_modules(scenarios.__path__, scenarios.__name__ + "."):
        importlib.import_module(module.name)
    return list(SCENARIOS.values())


def _has(site: Site, need: Need) -> bool:
    return {
        Need.ADMIN: site.admin,
        Need.HOSTS: bool(site.hosts) and site.image_datastore >= 0 and site.system_datastore >= 0,
        Need.SWITCHES: site.switches is not None,
        Need.ONEGATE: bool(site.onegate),
        Need.TOKEN: bool(site.onegate) and site.switches is not None,
        Need.EVENTS: bool(site.events),
        Need.NO_ONEGATE: "no-onegate" in site.facts,
        Need.OWN: site.switches is not None,
    }[need]
