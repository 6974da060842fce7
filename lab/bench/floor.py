"""The least time that a rotation can take: real waits under the budgets, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.bench.guests import Waits


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be under way at once; the defaults are those of the product's `fleet.yaml`."""

    services: int = 10
    vms_above_plan: int = 40
    vms_waiting: int = 20


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The fleet, and how long its services are watched and settle, in seconds."""

    services: int
    replicas: int
    canary_s: float = 10.0
    watch_s: float = 30.0
    settle_s: float = 5.0

    @property
    def vms(self) -> int:
        """All of them."""
        return self.services * self.replicas


def boot_s(waits: Waits) -> float:
    """From the request for a VM to RUNNING; OpenNebula's scheduler is given no time."""
    return waits.prolog + waits.boot


def chain_s(shape: Shape, waits: Waits) -> float:
    """One service's rollout when nothing costs anything: its longest chain of waits."""
    new = boot_s(waits) + waits.request + waits.puppet + waits.check + waits.join
    others = waits.join if shape.replicas > 1 else 0.0
    return (
        new
        + shape.canary_s
        + others
        + shape.settle_s
        + waits.drain
        + shape.watch_s
        + waits.shutdown
    )


def floor_s(shape: Shape, waits: Waits, budget: Budget) -> float:
    """The whole fleet: the narrowest of the budgets decides.

    Few VMs may wait for OpenNebula at once: they boot in turns, and the last service still has the
    rest of its chain before it. Few services may be under way at once: they take turns as well.
    """
    chain = chain_s(shape, waits)
    turns = math.ceil(shape.vms / max(budget.vms_waiting, shape.replicas))
    booting = turns * boot_s(waits) + chain - boot_s(waits)
    beside = min(budget.services, max(1, budget.vms_above_plan // shape.replicas))
    rolling = math.ceil(shape.services / beside) * chain
    return max(booting, rolling)
