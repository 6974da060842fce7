"""The trial VM of an image: it comes from the new image, and nothing of it is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.image_facts import Disk
from include.planner import rollout_id
from include.trial import trial_plan, trial_service
from snowmelt.errors import SnowmeltError, Unreachable
from snowmelt.look import look
from snowmelt.operators.enrolment import EnrolInPuppet
from snowmelt.operators.names import PublishDns
from snowmelt.operators.trial import CreateTrialVm, RetireTrial
from tests.plugins.snowmelt.fake_images import add_image, add_template, images_of
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Ti,
    context,
    killed_while_waiting,
    planned,
    run,
    service,
    serving,
    spec,
    two_old,
)
from tests.plugins.snowmelt.world import FakeCertificate, FakeVm, FakeWorld, Guest

NAME = f"shop-trial-{NEW}-0"
CRASHED = rollout_id("refresh_image", "crashed")
DISKS: list[Disk] = [{"IMAGE": "debian-12-2", "SIZE": "900"}]


def trial(rollout: str = NEW) -> dict[str, Any]:
    """Return what the task `plan` hands to the steps of one trial."""
    tried = trial_service(service(), ["shop"])
    plan = trial_plan(tried, rollout, "1.0", look(tried))
    return {
        "service": tried.model_dump(mode="json"),
        "plan": plan.to_json(),
        "dry_run": False,
        "disks": DISKS,
        "tries_for": "shop",
    }


def boots(of: dict[str, Any]) -> dict[str, Any]:
    """Let the trial VM come up; returns what `create_vm` returned."""
    vm = of["plan"]["new"][0]
    made: dict[str, Any] = run(lambda: CreateTrialVm(task_id="t", rollout=of, vm=vm))
    PublishDns(task_id="t", rollout=of, vm=vm, made=made).execute({})
    return made


def enrols(of: dict[str, Any]) -> None:
    run(lambda: EnrolInPuppet(task_id="t", rollout=of, vm=of["plan"]["new"][0]))


def retire(of: dict[str, Any]) -> None:
    """Retire it, where Airflow still has the run of a trial that crashed."""
    ti = Ti(dag_id="refresh_image", runs={"refresh_image": ["crashed"]})
    run(lambda: RetireTrial(task_id="t", rollout=of), context(ti))


def by_hand(world: FakeWorld, name: str) -> FakeVm:
    """Let somebody make a VM of that name, without Puppet."""
    vm = world.add_vm(replace(spec(name, "1.0"), service="", fqdn=""), phase="running")
    vm.asked = True
    return vm


@pytest.fixture(autouse=True)
def site(world: FakeWorld) -> None:
    add_image(world, "debian-12")
    add_template(world, "t", "debian-12")


def test_it_is_made_from_the_new_image_as_the_service_would(world: FakeWorld) -> None:
    of = trial()
    made = boots(of)
    vm = world.vms[made["vm_id"]]

    assert vm.spec.name == NAME
    assert images_of(world, made["vm_id"]) == ["debian-12-2"]
    assert vm.spec.context["SNOWMELT_SERVICE"] == "shop"
    assert vm.spec.context["PUPPET_ROLE"] == "shop"


def test_opennebula_ends_it_within_a_day_whatever_becomes_of_the_run(world: FakeWorld) -> None:
    made = boots(trial())
    end = world.vms[made["vm_id"]].spec.ends_at

    assert end
    assert 3600 < end - world.clock.now <= 86400


def test_a_rollout_of_the_service_does_not_see_it(world: FakeWorld) -> None:
    two_old(world)
    boots(trial())
    plan = planned(service())["plan"]

    assert [vm["name"] for vm in plan["old"]] == [f"shop-{OLD}-0", f"shop-{OLD}-1"]
    assert not plan["leftovers"]


def test_nothing_of_it_is_left_and_the_service_is_untouched(world: FakeWorld) -> None:
    serving(world, f"shop-{OLD}-0")
    before = {key: set(value) for key, value in world.everything().items() if key != "vms"}
    of = trial()
    made = boots(of)
    enrols(of)
    retire(of)
    after = {key: set(value) for key, value in world.everything().items() if key != "vms"}

    assert world.vms[made["vm_id"]].phase == "done"
    before.pop("story")
    after.pop("story")
    assert after == before


def test_a_trial_whose_puppet_run_fails_is_told_and_removed(world: FakeWorld) -> None:
    world.guests["1.0"] = Guest(puppet="failed", failures=("Package[x]: no candidate",))
    of = trial()
    made = boots(of)

    with pytest.raises(SnowmeltError, match="no candidate"):
        enrols(of)
    retire(of)
    assert world.vms[made["vm_id"]].phase == "done"
    assert not any((world.names, world.certificates, world.nodes))


def test_a_trial_that_never_began_is_retired_too(world: FakeWorld) -> None:
    before = world.everything()
    retire(trial())

    assert world.everything() == before


def test_killed_while_it_is_retired(world: FakeWorld) -> None:
    of = trial()
    boots(of)
    killed_while_waiting(lambda: RetireTrial(task_id="t", rollout=of))
    retire(of)

    assert not world.names


@pytest.mark.parametrize("away", ["certificates", "nodes", "addresses"])
def test_a_system_that_is_away_keeps_neither_the_vm_nor_its_traces_elsewhere(
    world: FakeWorld, away: str
) -> None:
    """Often it is what the trial failed of; an image goes when no VM uses it."""
    of = trial()
    made = boots(of)
    enrols(of)
    world.fail(away, Unreachable("away"))
    with pytest.raises(Unreachable, match="away"):
        retire(of)

    assert world.vms[made["vm_id"]].phase == "done"
    assert not any((world.names, world.certificates, world.nodes))
    retire(of)


def test_what_a_crashed_trial_left_goes_with_the_next(world: FakeWorld) -> None:
    boots(trial(rollout="ccccccc"))
    of = trial()
    boots(of)
    retire(of)

    assert [vm.phase for vm in world.vms.values()] == ["done", "done"]
    assert not world.names


def test_what_is_left_of_a_trial_whose_vm_is_gone_goes_too(world: FakeWorld) -> None:
    crashed = trial(rollout=CRASHED)
    made = boots(crashed)
    enrols(crashed)
    world.vms[made["vm_id"]].phase = "done"
    retire(trial())

    assert not any((world.names, world.certificates, world.nodes))


def test_what_people_gave_a_name_like_that_of_a_trial_stays(world: FakeWorld) -> None:
    """The word "testing" reads like a rollout."""
    vm, fqdn = by_hand(world, "shop-trial-testing-0"), "shop-trial-testing-1.lab.test"
    world.names["shop-trial-testing-0.lab.test"] = (vm.address, 60)
    world.names[fqdn] = ("198.18.0.81", 60)
    world.certificates[fqdn] = FakeCertificate(state="signed", key="k", signed_at=0, ttl_s=9)
    world.nodes.add(fqdn)
    before = world.everything()
    retire(trial())

    assert world.everything() == before


def test_a_vm_of_somebody_under_the_name_of_the_trial_keeps_it(world: FakeWorld) -> None:
    """Ours goes by its id."""
    of = trial()
    ours = boots(of)
    theirs = by_hand(world, NAME)
    retire(of)

    assert world.vms[ours["vm_id"]].phase == "done"
    assert theirs.phase == "running"
    assert f"{NAME}.lab.test" in world.names


def test_trials_of_other_services_are_left_alone(world: FakeWorld) -> None:
    world.names["wiki-trial-ccccccc-0.lab.test"] = ("198.18.0.9", 60)
    retire(trial())

    assert "wiki-trial-ccccccc-0.lab.test" in world.names


def test_a_trace_that_stays_fails_the_trial(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = trial()
    boots(of)
    enrols(of)
    monkeypatch.setattr("snowmelt.identity.retirements", lambda *_, **__: [])

    with pytest.raises(SnowmeltError, match="left traces"):
        retire(of)
