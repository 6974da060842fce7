"""The graph of a rollout, one module for each strategy. Its docstring is the runbook."""

from __future__ import annotations

from types import ModuleType

from snowmelt.wiring import blue_green, rolling

# each has `wire(service)`, to be called inside a DAG
GRAPHS: dict[str, ModuleType] = {"blue_green": blue_green, "rolling": rolling}
