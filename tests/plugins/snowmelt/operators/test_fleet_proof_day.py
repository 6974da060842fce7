"""What a day's proof says of each service: rebuilt, failed, left out, away; and when it fails."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.fleet_plan import PlanRotation
from snowmelt.operators.fleet_proof import WriteProof
from snowmelt.proof.store import Store
from tests.plugins.snowmelt.kit import OLD, service, serving, spec, two_old
from tests.plugins.snowmelt.proving import (
    DAY,
    NAMES,
    ROLLOUT,
    RUN_ID,
    context,
    day,
    prove,
    rebuilt,
    rotated,
    store,
    write_service,
    written,
)
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

__all__ = ["store"]


def test_a_service_that_failed_is_listed_with_its_reason_and_the_run_fails(
    world: FakeWorld, store: Path
) -> None:
    two_old(world)
    failed = FakeRun(conf={}, state="failed", tasks={"watch_canary": "failed"})
    failed.pushed["watch_canary", -1, "why"] = "answered 5 % with errors"
    world.runs["rollout_shop", RUN_ID] = failed

    with pytest.raises(Refused, match="shop: failed: watch_canary: answered 5 % with errors"):
        prove(world)

    proof = written(store)["proof"]
    assert proof["gate"]["today"] == {"asked": 1, "said_no": 1}
    assert [vm["run"] for vm in proof["vms"]] == [None, None]
    assert "answered 5 % with errors" in (store / f"proof/{DAY}.html").read_text()


def test_a_service_that_was_not_started_says_why(world: FakeWorld, store: Path) -> None:
    two_old(world)

    with pytest.raises(Refused, match="shop: not started: the failure budget is spent"):
        prove(world, held={"shop": "the failure budget is spent"})


def test_a_vm_that_is_too_old_fails_the_day(world: FakeWorld, store: Path) -> None:
    rebuilt(world)
    for vm in world.vms.values():
        vm.created_at -= timedelta(hours=27).total_seconds()

    with pytest.raises(Refused, match=f"{NAMES[0]} is [0-9.]+ h old, allowed are 24.0 h"):
        prove(world)


def test_an_exception_is_listed_until_it_expires(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    two_old(world)
    until = (datetime.fromtimestamp(world.clock.now, UTC) + timedelta(days=1)).date()
    told = {"service": "shop", "reason": "closing", "owner": "finance", "expires": str(until)}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"exceptions": [told]}))

    prove(world)

    (listed,) = written(store)["proof"]["exceptions"]
    assert listed == {**told, "kind": "exception"}


def test_a_dry_run_proves_nothing(world: FakeWorld, store: Path) -> None:
    with pytest.raises(AirflowSkipException):
        WriteProof(task_id="t", plan=None).execute(context(world, dry_run=True))
    assert not store.exists()


def test_a_run_whose_plan_failed_has_no_proof_and_fails(world: FakeWorld, store: Path) -> None:
    with pytest.raises(Refused, match="there is no plan"):
        WriteProof(task_id="t", plan=None).execute(context(world))


def test_a_run_for_one_service_keeps_what_the_day_told_of_the_others(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    """A failure, one that was not started, and an exception: none vanishes by it."""
    two_old(world)
    for name in ("ledger", "mail", "wiki"):
        entry = service(name=name).model_dump(mode="json")
        (tmp_path / f"services/{name}.yaml").write_text(yaml.safe_dump(entry))
        serving(world, f"{name}-{OLD}-0")
    until = {"service": "shop", "reason": "closing", "owner": "o", "expires": "2999-01-01"}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"exceptions": [until]}))
    rotated(world, DAY, "ledger", state="failed", tasks={"others.create_vm": "failed"})
    with pytest.raises(Refused):
        prove(world, held={"mail": "the failure budget is spent"})

    rotated(world, DAY, "wiki")
    with pytest.raises(Refused, match="ledger: failed"):
        prove(world, services=["wiki"])

    proof = written(store)["proof"]
    assert {s["name"]: s["state"] for s in proof["services"]} == {
        "ledger": "failed",
        "mail": "not started",
        "shop": "left out",
        "wiki": "rotated",
    }
    assert "mail: not started: the failure budget is spent" in proof["objections"]
    assert [e["service"] for e in proof["exceptions"]] == ["shop"]


def test_a_run_for_one_service_on_a_day_without_others_is_about_that_one(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    """The others have not been asked for: no failure."""
    rebuilt(world)
    entry = service(name="wiki").model_dump(mode="json")
    (tmp_path / "services/wiki.yaml").write_text(yaml.safe_dump(entry))
    world.add_vm(spec(f"wiki-{OLD}-0", "1.0"), phase="running")
    with pytest.raises(Refused, match=r"wiki-\S+ has no evidence"):
        prove(world, services=["shop"])

    assert [s["name"] for s in written(store)["proof"]["services"]] == ["shop"]


def test_a_proof_that_is_written_again_after_a_second_try_knows_both(
    world: FakeWorld, store: Path
) -> None:
    """Also by the night's own task, cleared: its plan is from before."""
    rebuilt(world)
    ctx = context(world)
    first = rotated(world, DAY, state="failed", tasks={"watch_canary": "failed"})
    first.pushed["watch_canary", -1, "why"] = "5 % errors"
    plan = PlanRotation(task_id="plan").execute(ctx)
    world.runs["rollout_shop", f"{RUN_ID}__2"] = FakeRun(conf={}, state="success")

    WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    proof = written(store)["proof"]
    (shop,) = proof["services"]
    assert (shop["state"], shop["run"]["run_id"]) == ("rotated", f"{RUN_ID}__2")
    assert shop["reason"] == "not at once: watch_canary: 5 % errors"
    assert proof["gate"]["today"] == {"asked": 2, "said_no": 1}


def test_an_exception_for_a_service_that_is_not_there_makes_the_day_a_bad_one(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    """Somebody's service was rebuilt that was to be left alone."""
    rebuilt(world)
    entry = {"service": "shpo", "reason": "closing", "owner": "o", "expires": "2999-01-01"}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"exceptions": [entry]}))

    with pytest.raises(Refused, match="no service is called shpo: is shop meant"):
        prove(world)


def test_a_file_that_breaks_after_the_rotation_is_told_and_loses_no_evidence(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    """Its VMs are not in the proof: nobody knows how old they may be."""
    rebuilt(world)
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    good = (tmp_path / "services/shop.yaml").read_text()
    (tmp_path / "services/shop.yaml").write_text("name: [")
    with pytest.raises(Refused, match="shop: its VMs are missing here"):
        WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    (tmp_path / "services/shop.yaml").write_text(good)
    WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    assert [vm["run"]["run_id"] for vm in written(store)["proof"]["vms"]] == [RUN_ID, RUN_ID]


@pytest.mark.parametrize("catalogue", ["empty", "another"])
def test_a_worker_that_reads_another_catalogue_makes_a_bad_day_and_costs_no_evidence(
    world: FakeWorld, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue: str
) -> None:
    """SNOWMELT_CATALOGUE, or SNOWMELT_REQUESTS, is not set there: it knows none of the VMs."""
    rebuilt(world)
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    (tmp_path / "elsewhere").mkdir()
    if catalogue == "another":
        entry = service(name="lab").model_dump(mode="json")
        (tmp_path / "elsewhere/lab.yaml").write_text(yaml.safe_dump(entry))
    with monkeypatch.context() as there:
        there.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "elsewhere"))
        with pytest.raises(Refused, match="shop: its VMs are missing here: there are VMs of it"):
            WriteProof(task_id="write_proof", plan=plan).execute(ctx)
    assert written(store)["proof"]["vms"] == []

    WriteProof(task_id="write_proof", plan=plan).execute(ctx)
    assert [vm["run"]["run_id"] for vm in written(store)["proof"]["vms"]] == [RUN_ID, RUN_ID]


def test_a_service_that_was_retired_after_its_turn_and_has_no_file_is_nothing_bad(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    """What one person asked for comes to its end before the proof is written."""
    rebuilt(world)
    entry = service(name="mine").model_dump(mode="json")
    (tmp_path / "services/mine.yaml").write_text(yaml.safe_dump(entry))
    world.add_vm(spec(f"mine-{OLD}-0", "1.0"), phase="running")
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    rotated(world, DAY, "mine")
    (tmp_path / "services/mine.yaml").unlink()
    with pytest.raises(Refused, match="mine: its VMs are missing here"):
        WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    next(vm for vm in world.vms.values() if vm.spec.name.startswith("mine")).phase = "done"
    WriteProof(task_id="write_proof", plan=plan).execute(ctx)
    assert len(written(store)["proof"]["vms"]) == 2


def test_an_opennebula_that_is_away_costs_no_day_its_proof(world: FakeWorld, store: Path) -> None:
    """It is tried again first; then the proof says what it lacks."""
    rebuilt(world)
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    world.fail("vms", Unreachable("away"), times=2)
    with pytest.raises(Unreachable):
        WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    ctx["ti"].try_number = 6
    with pytest.raises(Refused, match="VMs could not be looked at: away"):
        WriteProof(task_id="write_proof", plan=plan).execute(ctx)
    assert (store / f"evidence/shop/{ROLLOUT}.json").exists()


def test_what_was_left_out_since_the_plan_is_in_the_proof(world: FakeWorld, store: Path) -> None:
    """A blackout that somebody made in the afternoon is as good as one of the week before."""
    rebuilt(world)
    world.runs.clear()
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    left = {"service": "shop", "kind": "blackout", "reason": "sale", "owner": "o", "until": DAY}
    ctx["ti"].pulled["rotate left"] = [left]

    WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    proof = written(store)["proof"]
    assert [(s["state"], s["reason"]) for s in proof["services"]] == [("left out", "sale")]
    assert [e["kind"] for e in proof["exceptions"]] == ["blackout"]


def test_an_opennebula_that_shows_nothing_makes_a_bad_day_and_costs_no_evidence(
    world: FakeWorld, store: Path
) -> None:
    """Its account may have lost its rights; when it has them back, the VMs are proved as before."""
    rebuilt(world)
    hidden = dict(world.vms)
    world.vms.clear()
    with pytest.raises(Refused, match="snowmelt_opennebula shows no VM at all, also none of shop"):
        prove(world)

    world.vms.update(hidden)
    prove(world)

    assert [vm["run"]["run_id"] for vm in written(store)["proof"]["vms"]] == [RUN_ID, RUN_ID]


def excused_for_a_night(world: FakeWorld, tmp_path: Path) -> None:
    """Let the day be proved with `shop` in a blackout, which its file says no more afterwards."""
    two_old(world)
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    left = {"service": "shop", "kind": "blackout", "reason": "sale", "owner": "o", "until": day(1)}
    ctx["ti"].pulled["rotate left"] = [left]
    WriteProof(task_id="write_proof", plan=plan).execute(ctx)
    other = datetime.fromtimestamp(world.clock.now, UTC) + timedelta(days=3)
    window = {"begins": "22:00", "ends": "23:00", "days": [f"{other:%a}".lower()]}
    write_service(tmp_path / "services", maintenance={"windows": [window]})


@pytest.mark.parametrize("altered", [False, True])
def test_an_exception_of_the_night_stands_when_the_day_is_proved_again_in_the_afternoon(
    world: FakeWorld, store: Path, tmp_path: Path, altered: bool
) -> None:
    """Nothing was rotated since: its old VMs are as excused as they were, by what we signed."""
    excused_for_a_night(world, tmp_path)
    file = store / f"proof/{DAY}.json"
    file.write_text(file.read_text().replace('"sale"', '"sales"') if altered else file.read_text())
    with suppress(Refused):  # VMs without evidence are not excused then
        prove(world)

    proof = written(store)["proof"]
    assert [(s["state"], s["reason"]) for s in proof["services"]] == [
        ("left out", "no window opens today")
    ]
    kept = [] if altered else [("blackout", "sale")]
    assert [(e["kind"], e["reason"]) for e in proof["exceptions"]] == kept


def test_a_kill_between_page_and_proof_costs_the_night_none_of_its_exceptions(
    world: FakeWorld, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of the try that was killed lies beside the proof of the one before."""
    excused_for_a_night(world, tmp_path)
    write = Store.write

    def killed(self: Store, name: str, text: str) -> None:
        if name.endswith(".json"):
            raise SystemExit("killed")
        write(self, name, text)

    with monkeypatch.context() as now:
        now.setattr(Store, "write", killed)
        with pytest.raises(SystemExit):
            prove(world)
    prove(world)

    assert [e["reason"] for e in written(store)["proof"]["exceptions"]] == ["sale"]
