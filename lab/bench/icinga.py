"""Icinga's API, as far as the product asks it; every check is well soon after it was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from lab.bench.calls import Calls
from lab.bench.web import Answer, Question

SYSTEM = "monitoring"
CHECKS = ("http", "nrpe")

Host = dict[str, Any]


class Icinga:
    """Hosts, each with the same two services."""

    def __init__(self, calls: Calls, check_s: float) -> None:
        self.calls, self.check_s = calls, check_s
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}

    def respond(self, question: Question) -> Answer:
        """Answer the product."""
        kind, _, name = question.path.removeprefix("/v1/").removeprefix("objects/").partition("/")
        self.calls.add(SYSTEM, f"{question.method} {kind}", mutating=question.method != "GET")
        with self._lock:
            if kind == "templates":
                return Answer(body={"results": [{"name": name}]})
            if kind == "actions":
                return self._reschedule(question.body)
            if question.method == "GET":
                return Answer(body={"results": self._query(kind, question.body)})
            return self._change(question, name)

    def _change(self, question: Question, name: str) -> Answer:
        if question.method == "DELETE":
            there = self._hosts.pop(name, None)
            return Answer(200 if there else 404, {"results": []})
        if name in self._hosts:
            return Answer(500, {"results": [{"errors": ["already exists"]}]})
        self._hosts[name] = _host(name, question.body)
        return Answer(body={"results": [{"code": 200}]})

    def _reschedule(self, body: Any) -> Answer:
        host = self._hosts.get(body["host"])
        if host is None:
            return Answer(404, {"results": []})
        host["due"] = host["due"] or time.time() + self.check_s
        return Answer(body={"results": [{"code": 200}]})

    def _query(self, kind: str, asked: Any) -> list[dict[str, Any]]:
        chosen = list(self._chosen(asked))
        if kind == "hosts":
            return [{"attrs": {**host, **_result(host["due"])}} for host in chosen]
        return [
            {"attrs": {"name": check, "host_name": host["name"], **_result(host["due"])}}
            for host in chosen
            for check in CHECKS
        ]

    def _chosen(self, asked: Any) -> Iterable[Host]:
        wanted = asked["filter_vars"]
        chosen: dict[str, Callable[[], Iterable[Host | None]]] = {
            "host.name in names": lambda: (self._hosts.get(name) for name in wanted["names"]),
            "host.name == name": lambda: (self._hosts.get(wanted["name"]),),
            "host.vars.snowmelt_service == service": lambda: (
                host
                for host in self._hosts.values()
                if host["vars"].get("snowmelt_service") == wanted["service"]
            ),
            "host.vars.snowmelt_service": lambda: self._hosts.values(),
        }
        return (host for host in chosen[asked["filter"]]() if host is not None)


def _host(name: str, body: Any) -> Host:
    attributes = body["attrs"]
    return {
        "name": name,
        "address": attributes["address"],
        "templates": [name, *body["templates"]],
        "vars": {k[5:]: v for k, v in attributes.items() if k.startswith("vars.")},
        "due": 0.0,
    }


def _result(due: float) -> dict[str, Any]:
    ran = 0 < due <= time.time()
    return {
        "state": 0,
        "last_check": due if ran else -1,
        "last_check_result": {"output": "ok"} if ran else None,
    }
