"""The least time that a rotation can take: real waits under the budgets, and nothing else."""

from __future__ import annotations

import heapq
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
    """The whole fleet, each service as soon as the budgets have room for it.

    A service is under way for its whole chain, and its VMs wait for OpenNebula until they run.
    """
    beside = max(1, min(budget.services, budget.vms_above_plan // shape.replicas))
    booting = max(1, budget.vms_waiting // shape.replicas)
    under_way: list[float] = []  # when each service that is under way ends
    waiting: list[float] = []  # when the VMs of each that waits for OpenNebula run
    now = 0.0
    for _ in range(shape.services):
        for room, busy in ((beside, under_way), (booting, waiting)):
            if len(busy) == room:
                now = max(now, heapq.heappop(busy))
        heapq.heappush(under_way, now + chain_s(shape, waits))
        heapq.heappush(waiting, now + boot_s(waits))
    return max(under_way)
