"""Start a rollout once, follow it, and end as it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.front_doors import child_run
from include.last_good import Good
from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.front_door import GoThrough
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Ti,
    context,
    killed_while_waiting,
    planned,
    run,
    service,
    two_old,
)
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

DOOR = "deploy_release"
CHILD = ("rollout_shop", child_run(DOOR, "manual__1"))


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(service().model_dump(mode="json")))
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path))
    return file


def asked(door: str = DOOR, ti: Ti | None = None, **params: Any) -> Any:
    ti = ti or Ti(dag_id=door)
    return context(ti, **{"service": "shop", "release": "1.1", **params})


def door(name: str = DOOR, deferrable: bool = True) -> Callable[[], GoThrough]:
    return lambda: GoThrough(task_id="follow_rollout", door=name, deferrable=deferrable)


def ended(world: FakeWorld, state: str = "success", **changes: Any) -> FakeRun:
    """Put the child of this run into Airflow, ended."""
    child = FakeRun(conf={}, state=state, **changes)
    world.runs[CHILD] = child
    return child


def test_the_rollout_is_started_with_what_the_form_says(world: FakeWorld, deferrable: bool) -> None:
    world.new_runs_end_s = 60.0
    run(door(deferrable=deferrable), asked(reason="a new basket"))

    assert list(world.runs) == [CHILD]
    assert world.runs[CHILD].conf == {
        "release": "1.1",
        "replace": "all",
        "dry_run": False,
        "force": False,
        "reason": "a new basket",
    }


def test_a_retry_after_a_kill_adopts_the_run_that_exists(world: FakeWorld) -> None:
    killed_while_waiting(door(), asked())
    world.runs[CHILD].state = "success"

    run(door(), asked())

    assert world.story == ["start rollout_shop"]


def test_a_lost_answer_starts_nothing_twice(world: FakeWorld) -> None:
    world.lose_answer("ensure_run", Unreachable("time-out"))
    with pytest.raises(Unreachable):
        run(door(), asked())
    world.runs[CHILD].state = "success"

    run(door(), asked())

    assert world.story == ["start rollout_shop"]


def test_the_plan_and_the_outcome_are_in_its_own_log(
    world: FakeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    two_old(world)
    found = {"release": "1.1", "new": ["shop-bbbbbbb-0"], "gone": ["shop-aaaaaaa-0"]}
    ended(
        world,
        pushed={
            ("plan", -1, "rollout"): planned(service(), release="1.1"),
            ("verify", -1, "return_value"): found,
        },
    )
    returned = run(door(), asked())
    told = capsys.readouterr().out

    assert returned == found
    assert f"| shop-{NEW}-0 | 1.1 | canary |" in told
    assert "gone=['shop-aaaaaaa-0']" in told


def test_it_fails_with_the_reason_of_the_rollout(world: FakeWorld) -> None:
    ended(
        world,
        "failed",
        tasks={"plan": "success", "watch": "failed", "verify": "upstream_failed"},
        pushed={("watch", -1, "why"): "2 % of the answers are errors"},
    )

    with pytest.raises(Refused, match=r"failed: watch: 2 % of the answers are errors$"):
        run(door(), asked())


@pytest.mark.parametrize(
    ("state", "told"), [("failed", {"told_by": " ".join(CHILD)}), ("queued", {})]
)
def test_it_says_whose_failure_it_repeats(
    world: FakeWorld, state: str, told: dict[str, str]
) -> None:
    """Not where the rollout has not ended: of that nobody else tells."""
    ended(world, state)
    ti, task = Ti(dag_id=DOOR), door()()
    event = {"status": "failed", "detail": "not within the deadline", "retryable": False}
    with pytest.raises(Refused):
        task.show_outcome(asked(ti=ti), event)

    assert ti.pushed == told


def test_a_rollout_that_was_mended_is_followed_again(world: FakeWorld) -> None:
    child = ended(world, "failed", tasks={"watch": "failed"})
    with pytest.raises(Refused):
        run(door(), asked())
    child.state, child.tasks = "success", {"watch": "success"}

    run(door(), asked())


def test_the_link_is_there_while_it_waits(world: FakeWorld) -> None:
    ti = Ti(dag_id=DOOR)
    killed_while_waiting(door(), asked(ti=ti))

    assert ti.pushed == {"_link_RolloutLink": "https://airflow/" + "/".join(CHILD)}


def test_what_cannot_be_meant_starts_nothing(world: FakeWorld) -> None:
    with pytest.raises(Refused, match="write its name"):
        run(door("retire_service"), asked("retire_service", confirm="wiki"))

    assert not world.runs


def test_a_service_whose_file_is_wrong_starts_nothing(world: FakeWorld, catalogue: Path) -> None:
    catalogue.write_text("name: [")

    with pytest.raises(Refused, match=r"shop\.yaml"):
        run(door(), asked())
    assert not world.runs


def test_rolling_back_goes_to_the_release_that_was_good_before(world: FakeWorld) -> None:
    two_old(world)
    world.good["shop"] = [Good(release=r, at="", run="") for r in ("1.0", "0.9")]
    killed_while_waiting(door("roll_back_release"), asked("roll_back_release"))

    ((_, child),) = world.runs.items()
    assert child.conf["release"] == "0.9"


def test_the_vm_that_is_replaced_is_looked_up(world: FakeWorld) -> None:
    two_old(world)
    killed_while_waiting(door("replace_vm"), asked("replace_vm", vm=f"shop-{OLD}-1"))

    ((_, child),) = world.runs.items()
    assert child.conf["slots"] == [1]


@pytest.mark.parametrize("vm", [f"shop-{NEW}-1", "7"], ids=["a name of last night", "a slot"])
def test_a_vm_that_is_not_there_replaces_nobody(world: FakeWorld, vm: str) -> None:
    two_old(world)

    with pytest.raises(Refused, match=f"there is shop-{OLD}-0, shop-{OLD}-1"):
        run(door("replace_vm"), asked("replace_vm", vm=vm))
    assert not world.runs


def test_rolling_back_with_nowhere_to_go_says_so(world: FakeWorld) -> None:
    two_old(world)

    with pytest.raises(Refused, match="no release to go back to"):
        run(door("roll_back_release"), asked("roll_back_release"))
    assert not world.runs
