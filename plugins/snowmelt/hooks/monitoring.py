"""What Snowmelt asks of any monitoring, and which hook answers for a Connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

from include.facts import HostHealth
from include.inventory import Monitored
from include.verdict import Outcome
from snowmelt.hooks.connection import ConnectedHook, hook_for

# conn_type -> where its class is. A new monitoring is a module, a line here, one in provider.py.
_MONITORINGS: dict[str, str] = {"icinga2": "snowmelt.hooks.icinga2:Icinga2Hook"}

SERVICE_VARIABLE = "snowmelt_service"
# with their types, as the catalogue has them: to Icinga the text "False" is true
Variables = Mapping[str, str | int | float | bool]


class Monitoring(ConnectedHook, ABC):
    """One monitoring system. This docstring is the contract.

    A *host* is one VM, under its FQDN. Its checks come from a *template* that the monitoring
    already has, `Missing` otherwise, and from *variables* of the host.

    Rules for every subclass:
    - All verbs are idempotent. What holds already is `UNCHANGED`; removing what is gone succeeds.
    - A host of our name with another address, template or variables is a `Conflict`.
    - A check without a result yet is "pending", never "ok".
    - `error_for` is the only place that knows the monitoring's codes.
    """

    @abstractmethod
    def ensure_host(self, name: str, address: str, template: str, variables: Variables) -> Outcome:
        """Take a VM in. *variables* hold `SERVICE_VARIABLE`, by which `hosts` finds it again."""

    @abstractmethod
    def check_now(self, name: str) -> None:
        """Let all checks of a VM run at once instead of at their next turn."""

    @abstractmethod
    def health(self, names: Collection[str]) -> tuple[HostHealth, ...]:
        """Return the state of each VM that is monitored, by name, in few calls for all."""

    @abstractmethod
    def hosts(self, service: str | None = None) -> tuple[str, ...]:
        """Return the names of the VMs of a service, or of all services."""

    @abstractmethod
    def inventory(self) -> tuple[Monitored, ...]:
        """Return every host that carries `SERVICE_VARIABLE`, ours or not, in one call.

        One is *down* when the monitoring would page for it: not at the first check that failed.
        """

    @abstractmethod
    def remove_host(self, name: str) -> Outcome:
        """Take a VM out with all its checks; returns when it is gone."""


def monitoring_for(conn_id: str) -> Monitoring:
    """Return the hook for a Connection by its type; `Missing` for one that is no monitoring."""
    found: Monitoring = hook_for(conn_id, _MONITORINGS, "monitoring")
    return found
