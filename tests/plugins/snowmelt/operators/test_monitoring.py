"""Take a VM into monitoring."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.errors import Conflict, Missing, Refused, SnowmeltError, Unreachable
from snowmelt.operators.monitoring import MonitorVm
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Make,
    context,
    killed_while_waiting,
    planned,
    run,
    service,
    serving,
    spec,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeWorld, Guest

FQDN = f"shop-{NEW}-0.lab.test"


def monitor(world: FakeWorld, deferrable: bool = True) -> Make:
    """Enrol a VM, and return what makes the task that monitors it."""
    rollout = planned(service(monitoring=MONITORING))
    vm = serving(world, f"shop-{NEW}-0")
    world.hosts.clear()
    made = {"vm_id": vm.vm_id, "address": vm.address}
    return lambda: MonitorVm(
        task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), made=made, deferrable=deferrable
    )


MONITORING = {"template": "m", "deadline": "1m", "vars": {"team": "web"}}


def test_a_vm_is_added_and_its_checks_pass(world: FakeWorld, deferrable: bool) -> None:
    run(monitor(world, deferrable))

    host = world.hosts[FQDN]
    assert (host.address, host.template) == ("198.18.0.100", "m")
    assert host.variables == {"team": "web", "snowmelt_service": "shop"}


def test_a_second_run_changes_nothing(world: FakeWorld, deferrable: bool) -> None:
    task = monitor(world, deferrable)
    run(task)
    before = world.everything()
    run(task)

    assert world.everything() == before


def test_killed_while_it_waits_for_the_checks(world: FakeWorld) -> None:
    task = monitor(world)
    world.guests["1.0"] = Guest(healthy=False)  # its application is not up yet
    killed_while_waiting(task)
    world.guests.clear()
    run(task)

    assert world.story == [f"monitor {FQDN}"]


def test_checks_that_run_at_once_cost_no_second_pass(world: FakeWorld) -> None:
    """A short wait stays in its worker, and is still one of many looks."""
    monitor(world)().execute(context())

    assert world.hosts[FQDN].checked


def test_an_app_that_fails_its_health_check_is_told(world: FakeWorld, deferrable: bool) -> None:
    world.guests["1.0"] = Guest(healthy=False)

    with pytest.raises(SnowmeltError, match="app critical \\(503 from /health\\)"):
        run(monitor(world, deferrable))


def test_monitoring_is_away_for_a_while(world: FakeWorld) -> None:
    task = monitor(world)
    world.fail("health", Unreachable("reloading"), times=2)
    run(task)

    assert FQDN in world.hosts


def test_a_service_that_is_not_monitored(world: FakeWorld) -> None:
    rollout = planned(service(monitoring=None, balancer=None))
    vm = world.add_vm(spec(f"shop-{NEW}-0", "1.0"), phase="running")
    made = {"vm_id": vm.vm_id, "address": vm.address}
    run(lambda: MonitorVm(task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), made=made))

    assert world.hosts == {}
    assert world.calls["hosts"] == world.calls["health"] == 0


def test_checks_of_others_do_not_matter(world: FakeWorld) -> None:
    task = monitor(world)
    world.guests["0.9"] = Guest(healthy=False)
    serving(world, f"shop-{OLD}-1", release="0.9")

    run(task)


def guarded(world: FakeWorld, group: str = "web_vms", **changes: Any) -> Make:
    """Return what makes the task for a service that a firewall stands before."""
    vm = serving(world, f"shop-{NEW}-0")
    world.hosts.clear()
    rollout = planned(service(firewall={"group": "web_vms"}, **changes))
    rollout["service"]["firewall"]["group"] = group
    made = {"vm_id": vm.vm_id, "address": vm.address}
    return lambda: MonitorVm(task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), made=made)


def test_users_are_let_in_before_the_checks_begin(world: FakeWorld) -> None:
    """Monitoring may stand on the other side of the firewall."""
    run(guarded(world))

    assert world.groups == {"web_vms": {"198.18.0.100": FQDN}}
    assert world.story == [f"let in {FQDN}", f"monitor {FQDN}"]


def test_they_are_let_in_to_a_vm_that_is_not_monitored_too(world: FakeWorld) -> None:
    run(guarded(world, monitoring=None, balancer=None))

    assert world.groups == {"web_vms": {"198.18.0.100": FQDN}}


def test_the_answer_was_lost_after_they_were_let_in(world: FakeWorld) -> None:
    task = guarded(world)
    world.lose_answer("ensure_entry", Unreachable("no answer"))
    with pytest.raises(Unreachable):
        run(task)
    run(task)

    assert world.story == [f"let in {FQDN}", f"monitor {FQDN}"]


def test_what_the_firewall_has_by_hand_is_left_alone_and_nothing_goes_on(world: FakeWorld) -> None:
    task = guarded(world)
    world.groups["web_vms"]["198.18.0.100"] = ""

    with pytest.raises(Conflict, match="web_vms"):
        run(task)
    assert world.groups == {"web_vms": {"198.18.0.100": ""}}
    assert world.hosts == {}


def test_a_group_that_nobody_made_is_not_made(world: FakeWorld) -> None:
    with pytest.raises(Missing, match="db_vms"):
        run(guarded(world, "db_vms"))
    assert "db_vms" not in world.groups


def test_nobody_is_let_in_to_a_vm_that_was_rolled_back(world: FakeWorld) -> None:
    """Somebody cleared this step alone, and its address may be another VM's by now."""
    task = guarded(world)
    world.vms[0].phase = "done"

    with pytest.raises(Refused, match=f"shop-{NEW}-0 is gone: .* Clear the whole run"):
        run(task)
    assert world.groups == {"web_vms": {}}
    assert world.hosts == {}
