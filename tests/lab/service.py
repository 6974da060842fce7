"""What the end-to-end tests ask of a rollout: did anyone notice, and what is left?"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest

from lab.airflow.beside import Beside
from lab.airflow.client import ENDED, Airflow
from lab.airflow.rows import Task
from lab.demo import probes
from lab.demo import world as worlds
from lab.demo.follow import reasons
from lab.inside import enter
from lab.opennebula.switches import Switches
from lab.settings import places

Clicking = Callable[..., Any]
BUSY = frozenset({"running", "deferred"})


@dataclass
class Example:
    """A service of the example catalogue under test, with the systems around it."""

    airflow: Airflow
    beside: Beside
    clicking: Clicking
    name: ClassVar[str]
    urls: ClassVar[tuple[str, ...]] = ()  # where clients find it; none: it has no balancer

    @property
    def dag(self) -> str:
        """The DAG that moves it."""
        return f"rollout_{self.name}"

    def world(self) -> worlds.World:
        return worlds.snapshot()

    def vms(self) -> tuple[worlds.Vm, ...]:
        return worlds.vms_of(self.world(), self.name)

    def ensure(self, release: str) -> tuple[worlds.Vm, ...]:
        """Bring the service to *release*, which costs nothing when it is there. Return its VMs."""
        state, _ = self.roll(release=release, replicas=2, replace="outdated")
        assert state == "success"
        return self.vms()

    def serving(self) -> tuple[tuple[worlds.Vm, ...], str]:
        """Return the VMs that serve, of whichever good release, and the other good release."""
        vms = self.vms()
        if [vm.release for vm in vms] not in (["1.0"] * 2, ["1.1"] * 2):
            vms = self.ensure("1.0")
        return vms, "1.1" if vms[0].release == "1.0" else "1.0"

    def roll(self, seconds: float = 400, **params: Any) -> tuple[str, str]:
        """Run a rollout to its end. Return its state and its run id."""
        run_id = self.airflow.trigger(self.dag, **params)
        return self.airflow.wait_for_run(self.dag, run_id, seconds), run_id

    def tasks(self, run_id: str) -> list[Task]:
        return self.airflow.tasks(self.dag, run_id)

    def why(self, run_id: str) -> str:
        """Return the last log line of the task that failed first."""
        return reasons(self.airflow, self.dag, run_id)[0]

    def log(self, run_id: str, step: str) -> str:
        """Return all that a step has logged, of all VMs."""
        tasks = [task for task in self.tasks(run_id) if task.step == step and task.started]
        return "\n".join(
            line for task in tasks for line in self.airflow.log(self.dag, run_id, task)
        )

    def wait_for_step(self, run_id: str, step: str, *, states: frozenset[str] = BUSY) -> Task:
        """Return a task of *step* as soon as it is in one of *states*."""
        until = time.monotonic() + 300
        while time.monotonic() < until:
            found = [t for t in self.tasks(run_id) if t.step == step and t.state in states]
            if found:
                return found[0]
            assert self.airflow.state(self.dag, run_id) not in ENDED, (
                f"{run_id} ended before {step}"
            )
            time.sleep(0.1)
        raise TimeoutError(f"{step} was never in {states}")

    @contextmanager
    def under_load(self, clients: int = 120) -> Iterator[None]:
        """Let clients click meanwhile; not one of them may notice anything."""
        urls = [word for url in self.urls for word in ("--url", url)]
        with self.clicking("--clients", str(clients), *urls) as load:
            time.sleep(3)
            yield
            time.sleep(2)
        totals = load.totals()
        assert totals["requests"] > 500
        assert (totals["failed"], totals["lost_sessions"]) == (0, 0), totals["failures"]

    @property
    def switches(self) -> Switches:
        """The front-end's failure switches and counters."""
        return Switches(places().of("opennebula") / "admin.sock")

    def refusal(self, **params: Any) -> str:
        """Return what the API says to *params* that do not fit the form."""
        with pytest.raises(httpx.HTTPStatusError) as refused:
            self.airflow.trigger(self.dag, **params)
        return f"{refused.value.response.status_code} {refused.value.response.text}"


class Shop(Example):
    """The service that most tests move."""

    name = "shop"
    urls = ("http://198.18.0.80/",)


class Accounts(Example):
    """The service that is rolled: one VM more than planned at a time."""

    name = "accounts"
    urls = ("http://198.18.0.81/",)


class Worker(Example):
    """The service without a balancer."""

    name = "worker"


def bring_up(services: Iterable[Example]) -> None:
    """Have two VMs of each service, all that lack them at the same time."""
    bare = [each for each in services if len(each.vms()) != 2]
    runs = [(each, each.airflow.trigger(each.dag, release="1.0", replicas=2)) for each in bare]
    for each, run_id in runs:
        assert each.airflow.wait_for_run(each.dag, run_id, 900) == "success", each.why(run_id)


def most_at_once(vms: Iterable[worlds.Vm]) -> int:
    """Return how many of *vms* there were at the same time; OpenNebula remembers those gone."""
    ids = [vm.vm_id for vm in vms]
    with ThreadPoolExecutor(max_workers=1, initializer=enter) as pool:
        spans = pool.submit(lambda: [_life(probes.cloud(places()), each) for each in ids]).result()
    return max(sum(a <= moment < b for a, b in spans) for moment, _ in spans)


def _life(one: Any, vm_id: int) -> tuple[float, float]:
    vm = one.vm.info(vm_id)
    return float(vm.STIME), float(vm.ETIME) or math.inf


def signed_more_than_once() -> list[str]:
    """Return the VMs for which the CA has ever signed a second certificate."""
    inventory = next(places().of("puppet").rglob("inventory.txt")).read_text()
    names = Counter(line.rpartition("/CN=")[2] for line in inventory.splitlines())
    ours = tuple(f"{kind.name}-" for kind in (Shop, Accounts, Worker))
    return [name for name, times in names.items() if times > 1 and name.startswith(ours)]
