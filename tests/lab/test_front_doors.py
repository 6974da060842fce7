"""Each verb by one triggered run of its front door, under load, and nobody notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.demo import world as worlds
from lab.demo.follow import reasons
from snowmelt.hooks.good_releases import PREFIX
from tests.lab.service import Shop

pytestmark = pytest.mark.timeout(1200)


def go(shop: Shop, door: str, seconds: float = 500, **asked: Any) -> tuple[str, str]:
    """Go through one front door to its end; return its state and its log."""
    run_id = shop.airflow.trigger(door, service="shop", **asked)
    state = shop.airflow.wait_for_run(door, run_id, seconds)
    (task,) = shop.airflow.tasks(door, run_id)
    return state, "\n".join(shop.airflow.log(door, run_id, task))


def forget_all_good_but(shop: Shop, release: str) -> None:
    """Leave one good release, as a first rollout does; earlier tests may have gone up and down."""
    key = f"{PREFIX}{shop.name}"
    known = json.loads(shop.airflow.get(f"/variables/{key}")["value"])
    left = json.dumps([good for good in known if good["release"] == release])
    shop.airflow.send("PATCH", f"/variables/{key}", json={"key": key, "value": left})


@pytest.mark.long
def test_scale_two_to_four_to_two(shop: Shop) -> None:
    before, _ = shop.serving()
    with shop.under_load():
        state, log = go(shop, "scale_service", replicas=4)
        assert state == "success", log
        four = shop.vms()
        state, log = go(shop, "scale_service", replicas=2)
        assert state == "success", log

    now = shop.world()
    two = worlds.vms_of(now, "shop")
    assert {vm.name for vm in before} < {vm.name for vm in four}
    assert (len(four), two) == (4, before)
    assert worlds.traces(now, [vm for vm in four if vm not in two]) == []


@pytest.mark.long
def test_deploy_and_roll_back_to_what_was_good(shop: Shop) -> None:
    vms, other = shop.serving()
    forget_all_good_but(shop, vms[0].release)
    with shop.under_load():
        state, log = go(shop, "deploy_release", release=other)
        assert state == "success", log
        assert [vm.release for vm in shop.vms()] == [other] * 2
        state, log = go(shop, "roll_back_release")

    assert state == "success", log
    assert f"release {vms[0].release} was good" in log
    assert [vm.release for vm in shop.vms()] == [vms[0].release] * 2


@pytest.mark.long
def test_one_vm_is_replaced_and_the_other_left_alone(shop: Shop) -> None:
    before, _ = shop.serving()
    with shop.under_load():
        state, log = go(shop, "replace_vm", vm=before[0].name)

    assert state == "success", log
    now = shop.world()
    assert before[1] in worlds.vms_of(now, "shop")
    assert worlds.traces(now, [before[0]]) == []


@pytest.mark.long
def test_a_release_that_does_not_exist_fails_here_with_its_reason(shop: Shop) -> None:
    before, _ = shop.serving()
    with shop.under_load():
        run_id = shop.airflow.trigger("deploy_release", service="shop", release="9.9")
        assert shop.airflow.wait_for_run("deploy_release", run_id, 600) == "failed"

    assert "9.9" in reasons(shop.airflow, "deploy_release", run_id)[-1]
    assert shop.vms() == before


@pytest.mark.lab
def test_the_service_retires_without_a_trace_and_comes_back(shop: Shop) -> None:
    before, release = shop.serving()
    state, log = go(shop, "retire_service", confirm="shop")

    assert state == "success", log
    assert worlds.traces(shop.world(), before) == []

    state, log = go(shop, "deploy_release", release=release)
    assert state == "success", log
    with shop.under_load():
        pass
    assert [vm.release for vm in shop.vms()] == [release] * 2
