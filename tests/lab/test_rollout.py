"""A release goes out, and nobody outside notices."""

from __future__ import annotations

import json

import pytest

from lab.demo import world as worlds
from lab.settings import places
from tests.lab.service import Shop, signed_more_than_once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def test_a_release_goes_out_unnoticed_and_nothing_is_left_of_the_old_vms(shop: Shop) -> None:
    old, release = shop.serving()
    with shop.under_load():
        state, run_id = shop.roll(release=release, replace="all")

    now = shop.world()
    new = worlds.vms_of(now, "shop")
    assert state == "success"
    assert [vm.release for vm in new] == [release, release]
    assert worlds.traces(now, old) == []
    assert signed_more_than_once() == []
    assert len(shop.tasks(run_id)) <= 12 * len(old)


def test_a_dry_run_prints_the_plan_and_changes_nothing(shop: Shop) -> None:
    _, release = shop.serving()
    before = shop.world()
    state, run_id = shop.roll(release=release, dry_run=True)

    assert state == "success"
    assert worlds.changes(before, shop.world()) == []
    assert f"→ {release} (blue_green" in shop.log(run_id, "plan")
    assert "dry run: nothing is changed" in shop.log(run_id, "plan")


def test_at_the_wanted_state_nothing_is_done_and_the_log_says_so(shop: Shop) -> None:
    vms, _ = shop.serving()
    before = shop.world()
    state, run_id = shop.roll(release=vms[0].release, replace="outdated")

    assert state == "success"
    assert worlds.changes(before, shop.world()) == []
    assert "nothing to do" in shop.log(run_id, "plan")


@pytest.mark.parametrize("field", ["release", "replicas", "replace"])
def test_a_wrong_param_is_refused_before_the_run_starts(shop: Shop, field: str) -> None:
    wrong = {"release": "latest please", "replicas": -1, "replace": "some"}[field]

    assert shop.refusal(**{field: wrong}).startswith("400")


def test_every_connection_answers_the_test_button(shop: Shop) -> None:
    said = {}
    for connection in shop.airflow.get("/connections", limit=50)["connections"]:
        answer = shop.airflow.test_connection(connection)
        said[connection["connection_id"]] = (answer["status"], answer["message"])

    assert set(said) == set(json.loads((places().state / "connections.json").read_text()))
    assert {status for status, _ in said.values()} == {True}, said
