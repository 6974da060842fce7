"""Icinga 2 through its API (v1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import requests

from include.facts import CheckResult, HostHealth
from include.inventory import Monitored
from include.verdict import Outcome
from snowmelt.errors import (
    Busy,
    Conflict,
    Missing,
    NotAllowed,
    Refused,
    SnowmeltError,
    Unreachable,
)
from snowmelt.hooks.connection import tried
from snowmelt.hooks.monitoring import SERVICE_VARIABLE, Monitoring, Variables
from snowmelt.hooks.rest import RestHook, whole

_STATES: dict[int, Literal["ok", "warning", "critical", "unknown"]] = {
    0: "ok",
    1: "warning",
    2: "critical",
    3: "unknown",
}
_RESULT = ["name", "state", "last_check", "last_check_result"]


def error_for(method: str, status: int, text: str) -> SnowmeltError:
    """Return our error for an answer. The only place that knows Icinga's status codes."""
    if (method, status) == ("PUT", 404):  # so it tells an ApiUser that may not create objects
        return NotAllowed(f"Icinga's ApiUser may not create this: {text.strip()[:500]}")
    kind = Unreachable if status >= 500 else _BY_STATUS.get(status, Refused)
    return kind(f"Icinga answers {status}: {text.strip()[:500]}")


_BY_STATUS: dict[int, type[SnowmeltError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: Missing,
    409: Busy,  # another change of the same object is under way
    429: Unreachable,
}


class Icinga2Hook(RestHook, Monitoring):
    """One Icinga 2. Connection: host, port, login and password of an ApiUser; extra `ca_file`."""

    default_conn_name = "snowmelt_monitoring"
    conn_type = "icinga2"
    hook_name = "Icinga 2"
    default_port = 5665

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def login(self) -> tuple[str, str] | None:
        """Return login and password of the ApiUser."""
        return str(self.connection.login or ""), str(self.connection.password or "")

    def test_connection(self) -> tuple[bool, str]:
        """Count our hosts, as the connection form's Test button does."""
        return tried(lambda: f"{len(self.hosts())} VMs of Snowmelt are monitored")

    def ensure_host(self, name: str, address: str, template: str, variables: Variables) -> Outcome:
        """Take a VM in; its services come from the apply rules that match its variables."""
        wanted = _wanted(address, template, variables)
        seen = self._host(name)
        if seen is None:
            return self._create(name, wanted)
        others = [key for key, value in wanted.items() if seen.get(key) != value]
        if others:
            told = ", ".join(f"{key} {seen.get(key)!r}, wanted {wanted[key]!r}" for key in others)
            raise Conflict(f"Icinga has a host {name} with {told}")
        return Outcome.UNCHANGED

    def check_now(self, name: str) -> None:
        """Let the checks of a VM run at once; `Missing` when it is not monitored."""
        # One call for both types: the host by its name, its services (it may have none) by filter.
        body = {
            "host": name,
            "type": "Service",
            "filter": "host.name == name",
            "filter_vars": {"name": name},
            "force": True,
        }
        # Where nothing matches, Icinga 2.13 answers 500 with an empty list, later ones 404.
        answer = self._ask("POST", "/actions/reschedule-check", body=body, found=(200, 404, 500))
        if not whole(answer).get("results"):
            raise Missing(f"Icinga has no host {name}")
        if answer.status_code != requests.codes.ok:
            raise error_for("POST", answer.status_code, answer.text)

    def health(self, names: Collection[str]) -> tuple[HostHealth, ...]:
        """Return the state of each VM that is monitored, by name, in two calls for all."""
        chosen = {"filter": "host.name in names", "filter_vars": {"names": sorted(names)}}
        hosts = self._query("hosts", {**chosen, "attrs": [*_RESULT, "address"]})
        services = self._query("services", {**chosen, "attrs": [*_RESULT, "host_name"]})
        checks: dict[str, list[CheckResult]] = defaultdict(list)
        for service in services:
            checks[service["host_name"]].append(_check(service))
        return tuple(_health(host, checks[host["name"]]) for host in hosts)

    def hosts(self, service: str | None = None) -> tuple[str, ...]:
        """Return the names of the VMs of a service, or of all services."""
        field = f"host.vars.{SERVICE_VARIABLE}"
        chosen = {
            "filter": field if service is None else f"{field} == service",
            "filter_vars": {"service": service},
            "attrs": ["name"],
        }
        return tuple(host["name"] for host in self._query("hosts", chosen))

    def inventory(self) -> tuple[Monitored, ...]:
        """Return every host that says it is of a service of ours, in one call."""
        attrs = ["name", "address", "vars", "state", "state_type", "last_hard_state_change"]
        chosen = {"filter": f"host.vars.{SERVICE_VARIABLE}", "attrs": attrs}
        return tuple(
            Monitored(
                name=host["name"],
                address=host["address"],
                service=str(host["vars"][SERVICE_VARIABLE]),
                down_since=_down_since(host),
            )
            for host in self._query("hosts", chosen)
        )

    def remove_host(self, name: str) -> Outcome:
        """Take a VM out with all its checks. `Busy` when Icinga still shows it afterwards."""
        answer = self._ask("DELETE", f"{_path(name)}?cascade=1", found=(200, 404))
        if answer.status_code == 404:
            return Outcome.UNCHANGED
        # A delete that was answered with 200 has been seen to leave the object (icinga2#7330).
        if self._host(name) is not None:
            raise Busy(f"Icinga still has {name} after its removal")
        self.log.info("Icinga: removed %s", name)
        return Outcome.REMOVED

    def _create(self, name: str, wanted: Mapping[str, Any]) -> Outcome:
        self._must_have(str(wanted["template"]))
        body = {
            "templates": [wanted["template"]],
            "attrs": {key: value for key, value in wanted.items() if key != "template"},
        }
        answer = self.send("PUT", f"/v1{_path(name)}", body=body)
        if answer.status_code == requests.codes.ok:
            self.log.info("Icinga: monitors %s", name)
            return Outcome.CREATED
        # 500 says both: another try was faster, and a reload is under way.
        if self._host(name) is not None:
            return self.ensure_host(name, wanted["address"], wanted["template"], _vars(wanted))
        raise error_for("PUT", answer.status_code, answer.text)

    def _must_have(self, template: str) -> None:
        # Looked for first: a host that fails for a template that is not there blocks its name
        # until Icinga is restarted (2.13.6, "Object … re-defined").
        path = f"/templates/hosts/{quote(template, safe='')}"
        if self._ask("GET", path, found=(200, 404)).status_code == 404:
            raise Missing(
                f"Icinga has no host template {template!r}, or its ApiUser lacks the permission "
                "templates/query/Host"
            )

    def _host(self, name: str) -> dict[str, Any] | None:
        """Return a host as it would be asked for, or None."""
        chosen = {
            "filter": "host.name == name",
            "filter_vars": {"name": name},
            "attrs": ["address", "vars", "templates"],
        }
        for host in self._query("hosts", chosen):
            template = next((each for each in host["templates"] if each != name), "")
            return _wanted(host["address"], template, host["vars"] or {})
        return None

    def _query(self, kind: str, chosen: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self._ask("POST", f"/objects/{kind}", body=chosen, override="GET")
        found = [result["attrs"] for result in whole(answer)["results"]]
        return sorted(found, key=lambda attrs: str(attrs.get("name")))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        found: tuple[int, ...] = (200,),
        override: str | None = None,
    ) -> requests.Response:
        # A query with a body is a POST that says it is a GET: names never become filter text.
        headers = {"X-HTTP-Method-Override": override} if override else None
        answer = self.send(method, f"/v1{path}", body=body, headers=headers)
        if answer.status_code not in found:
            raise error_for(method, answer.status_code, answer.text)
        return answer


def _path(name: str) -> str:
    return f"/objects/hosts/{quote(name, safe='')}"


def _wanted(address: str, template: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": address,
        "template": template,
        **{f"vars.{key}": value for key, value in variables.items()},
    }


def _vars(wanted: Mapping[str, Any]) -> dict[str, Any]:
    found = ((key.partition("vars."), value) for key, value in wanted.items())
    return {parts[2]: value for parts, value in found if parts[1]}


def _health(host: Mapping[str, Any], checks: Iterable[CheckResult]) -> HostHealth:
    # A host is up (0) or down (1); down is as bad as a critical service.
    seen = {**host, "state": 2 if host["state"] else 0}
    return HostHealth(
        name=host["name"], address=host["address"], host=_check(seen), checks=tuple(checks)
    )


def _down_since(host: Mapping[str, Any]) -> datetime | None:
    # state 1 is down; it is soft (0) until all tries of the check have failed, and before the first
    if (int(host["state"]), int(host["state_type"])) != (1, 1):
        return None
    return datetime.fromtimestamp(host["last_hard_state_change"], UTC)


def _check(attrs: Mapping[str, Any]) -> CheckResult:
    # A new service has state 0 and no result yet, which is not the same as being well.
    ran = float(attrs["last_check"] or 0) > 0
    result = attrs["last_check_result"] or {}
    return CheckResult(
        name=attrs["name"],
        state=_STATES.get(int(attrs["state"]), "unknown") if ran else "pending",
        output=str(result.get("output", "")),
        checked_at=datetime.fromtimestamp(attrs["last_check"], UTC) if ran else None,
    )
