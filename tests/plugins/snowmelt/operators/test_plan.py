"""The first task of a rollout: look, decide, print."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.catalogue import Service
from include.planner import Plan, rollout_id
from snowmelt.errors import Conflict, Refused, Unreachable
from snowmelt.operators.plan import PlanRollout
from tests.plugins.snowmelt.kit import OLD, Ti, context, service, serving, two_old
from tests.plugins.snowmelt.world import FakeWorld

ROLLOUT = rollout_id("rollout_shop", "manual__1")


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(service().model_dump(mode="json")))
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path))
    return file


def plan(ti: Ti | None = None, **params: object) -> tuple[list[str], Ti]:
    """Run the task; return the names of the canaries, and what it pushed."""
    ti = ti or Ti()
    returned = PlanRollout(task_id="plan", service="shop").execute(context(ti, **params))
    return [vm["name"] for vm in returned], ti


def test_the_run_is_pinned_to_the_plan_and_the_catalogue_entry(world: FakeWorld) -> None:
    two_old(world)
    canary, ti = plan(release="1.1", reason="a new basket")

    pinned = ti.pushed["rollout"]
    made = Plan.from_json(pinned["plan"])
    assert pinned["service"] == service().model_dump(mode="json")
    assert pinned["dry_run"] is False
    assert (made.release, made.reason, made.rollout) == ("1.1", "a new basket", ROLLOUT)
    assert canary == [f"shop-{ROLLOUT}-0"]
    assert [vm.name for vm in made.old] == [f"shop-{OLD}-0", f"shop-{OLD}-1"]


def test_planning_changes_nothing(world: FakeWorld) -> None:
    two_old(world)
    before = world.everything()
    plan()

    assert world.everything() == before


def test_planning_reads_all_vms_and_of_other_systems_only_what_they_know_of_its_own(
    world: FakeWorld,
) -> None:
    two_old(world)
    serving(world, f"wiki-{OLD}-0")
    world.calls.clear()
    plan()

    assert world.calls == {
        **dict.fromkeys(("next_id", "vms", "health", "members"), 1),
        **dict.fromkeys(("certificate", "lookup"), 2),
        **dict.fromkeys(("read", "write"), 1),  # where they are known
    }


def test_the_second_try_makes_the_same_names(world: FakeWorld) -> None:
    two_old(world)

    assert plan()[0] == plan()[0] == [f"shop-{ROLLOUT}-0"]


def test_a_run_that_begins_anew_says_so(world: FakeWorld) -> None:
    """What an earlier attempt knew of its new VMs is under the same names."""
    two_old(world)

    assert [plan(Ti(try_number=n))[1].pushed["rollout"]["again"] for n in (1, 2)] == [False, True]


def test_a_dry_run_maps_over_nothing(world: FakeWorld) -> None:
    two_old(world)
    canary, ti = plan(dry_run=True, release="1.1")

    assert canary == []
    assert ti.pushed["rollout"]["dry_run"] is True


def test_what_the_catalogue_says_is_wrong_is_told(world: FakeWorld, catalogue: Path) -> None:
    catalogue.write_text("name: shop\nreplicas: many\n")

    with pytest.raises(Refused, match=r"replicas: .*'many'"):
        plan()


def test_a_system_that_does_not_answer_is_tried_again(world: FakeWorld) -> None:
    two_old(world)
    world.fail("certificate", Unreachable("connection refused"))
    with pytest.raises(Unreachable):
        plan()

    assert plan()[0]


def test_vms_that_are_not_ours_under_our_names_stop_the_plan(world: FakeWorld) -> None:
    vm = serving(world, f"shop-{OLD}-0")
    shown = world.shown

    def foreign(one: object, *, extended: bool) -> object:
        assert one is vm
        return replace(shown(vm, extended=extended), attributes={}, context={})

    world.shown = foreign  # type: ignore[method-assign, assignment]

    with pytest.raises(Refused, match=f"shop-{OLD}-0") as told:
        plan()
    assert not isinstance(told.value, Conflict)


def test_a_plan_beyond_the_limits_is_refused_with_the_numbers(
    world: FakeWorld, catalogue: Path
) -> None:
    entry = service(replicas=1, limits={"retire": 1}).model_dump(mode="json")
    catalogue.write_text(yaml.safe_dump(entry))
    two_old(world)

    with pytest.raises(Refused, match="retires 2 VMs"):
        plan()
    assert plan(force=True)[0]


def test_what_each_member_has_counted_is_noted_with_the_plan(world: FakeWorld) -> None:
    """Requests tell later whether its errors are counted from there, or from a restart on."""
    two_old(world)
    noted = plan()[1].pushed["rollout"]["errors"]

    assert set(noted) == {f"shop-{OLD}-0", f"shop-{OLD}-1"}
    assert noted[f"shop-{OLD}-0"]["errors"] == 0
    assert noted[f"shop-{OLD}-0"]["requests"] > 0


def elsewhere(catalogue: Path, **changes: Any) -> None:
    catalogue.write_text(yaml.safe_dump(service(**changes).model_dump(mode="json")))


POOL = {"balancer": {"pool": "shop2", "port": 8080}}


def test_a_file_that_points_elsewhere_is_refused_while_there_are_vms(
    world: FakeWorld, catalogue: Path
) -> None:
    """The old ones would be ended while their pool still lists them."""
    plan()
    two_old(world)
    elsewhere(catalogue, **POOL)
    world.pools["shop2"] = {}

    for dry_run in (True, False):
        with pytest.raises(Refused, match=r"pool was shop, and is shop2\. Put the old file back"):
            plan(dry_run=dry_run)
    plan(force=True)
    plan()
    assert world.placed["shop"]["balancer.pool"] == "shop2"


@pytest.mark.parametrize("by", ["form", "end"])
def test_to_retire_lifts_limits_and_not_this(world: FakeWorld, catalogue: Path, by: str) -> None:
    """`retire_service` runs with force; whoever was told to retire first has the new file there."""
    plan()
    two_old(world)
    elsewhere(catalogue, **POOL, **({"expires_at": "2020-01-01T00:00:00Z"} if by == "end" else {}))
    world.pools["shop2"] = {}

    with pytest.raises(Refused, match="Put the old file back, retire the service"):
        plan(force=True, replicas=0 if by == "form" else None)
    assert world.placed["shop"]["balancer.pool"] == "shop"


def test_a_file_that_says_0_replicas_retires_nothing_that_is_in_use(
    world: FakeWorld, catalogue: Path
) -> None:
    """Only a run that names a number makes a service smaller: so this one may go on by force."""
    plan()
    two_old(world)
    elsewhere(catalogue, **POOL, replicas=0)
    world.pools["shop2"] = {}
    plan(force=True)

    assert world.placed["shop"]["balancer.pool"] == "shop2"


def test_without_vms_it_may_point_anywhere(world: FakeWorld, catalogue: Path) -> None:
    plan()
    elsewhere(catalogue, **POOL)
    world.pools["shop2"] = {}
    plan()

    assert world.placed["shop"]["balancer.pool"] == "shop2"


def test_another_opennebula_shows_no_vm_and_is_refused_all_the_same(
    world: FakeWorld, catalogue: Path
) -> None:
    plan()
    elsewhere(catalogue, connections={"opennebula": "one_b"})

    with pytest.raises(Refused, match=r"opennebula was snowmelt_opennebula, and is one_b"):
        plan()


def test_a_dry_run_notes_no_place(world: FakeWorld) -> None:
    plan(dry_run=True)

    assert world.placed == {}


@pytest.mark.parametrize(("own", "stay"), [({}, True), ({"max_age": "24h"}, False)])
def test_a_service_whose_file_says_no_age_has_that_of_the_fleet(
    world: FakeWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: dict[str, str],
    stay: bool,
) -> None:
    """30 h are fine where the fleet says five days; also for certificates of three."""
    folder = tmp_path / "services"
    folder.mkdir()
    entry = service().model_dump(mode="json", exclude={"max_age"}) | own
    (folder / "shop.yaml").write_text(yaml.safe_dump(entry))
    (tmp_path / "fleet.yaml").write_text("max_age: 5d")
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(folder))
    for vm in two_old(world):
        vm.created_at -= timedelta(hours=30).total_seconds()

    _, ti = plan(replace="outdated")

    made = Plan.from_json(ti.pushed["rollout"]["plan"])
    assert len(made.kept) == (2 if stay else 0)
    assert Service.model_validate(ti.pushed["rollout"]["service"])


def test_a_mistake_in_the_fleets_file_stops_no_deployment(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the age decides who goes."""
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "shop.yaml").write_text(yaml.safe_dump(service().model_dump(mode="json")))
    (tmp_path / "fleet.yaml").write_text("max_age: soon")
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(folder))
    two_old(world)

    assert plan(release="1.1")[0] == [f"shop-{ROLLOUT}-0"]
    with pytest.raises(Refused, match=r"fleet\.yaml: max_age: "):
        plan(replace="outdated")
