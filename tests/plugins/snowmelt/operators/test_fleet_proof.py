"""From a rollout's evidence to a chain of proofs that anybody can check."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from include.planner import rollout_id
from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.fleet_plan import PlanRotation
from snowmelt.operators.fleet_proof import WriteProof
from snowmelt.operators.verify import Verify
from snowmelt.verify_proof import main
from tests.plugins.snowmelt.kit import OLD, Ti, planned, run, service, serving, spec, two_old
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

BEGAN = datetime.now(UTC).date() - timedelta(days=10)


def day(number: int) -> str:
    """Return a day that is past: one that has not come is refused."""
    return (BEGAN + timedelta(days=number)).isoformat()


DAY = day(0)
RUN_ID = f"rotation__{DAY}__shop"
ROLLOUT = rollout_id("rollout_shop", RUN_ID)
NAMES = [f"shop-{ROLLOUT}-{slot}" for slot in (0, 1)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the store of an installation that has no Connection for its key."""
    folder = tmp_path / "services"
    folder.mkdir()
    write_service(folder)
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(folder))
    monkeypatch.setenv("SNOWMELT_STORE", f"file://{tmp_path}/store")
    monkeypatch.setattr("snowmelt.proof.keys.AIRFLOW_HOME", str(tmp_path))

    def unknown(conn_id: str) -> None:
        raise AirflowNotFoundException(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", unknown)
    return tmp_path / "store"


def write_service(folder: Path, **changes: Any) -> None:
    entry = service(**changes).model_dump(mode="json")
    (folder / "shop.yaml").write_text(yaml.safe_dump(entry))


def rebuilt(world: FakeWorld, counted: bool = True, restarted: bool = False) -> None:
    """Let the rotation of `shop` have ended well, as far as its `verify`."""
    old = two_old(world)
    rollout = planned(service(), rollout=ROLLOUT)
    for vm in old:
        vm.phase = "done"
    for kind in ("certificates", "nodes", "names", "hosts"):
        getattr(world, kind).clear()
    world.pools["shop"].clear()
    for name in NAMES:
        serving(world, name).reported = False
    world.clock.pass_s(5)
    world.tick()
    left = [
        {
            "name": f"shop-{OLD}-{slot}",
            "left": "2026-11-24T02:00:00+00:00",
            "differences": {NAMES[slot]: ["package nmap 7.93: on the old VM only"]},
            **(
                {"restarted": True} if restarted and slot else {"failures": slot} if counted else {}
            ),
        }
        for slot in (0, 1)
    ]
    verified(rollout, left)
    world.runs["rollout_shop", RUN_ID] = FakeRun(conf={}, state="success")


def verified(rollout: dict[str, Any], left: list[dict[str, Any]]) -> None:
    """Run the last step of a rollout, which leaves the evidence."""
    ti = Ti(run_id=RUN_ID, pulled={"old.leave_balancer": left})
    context = {"ti": ti, "dag_run": SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id)}

    def verify() -> Verify:
        task = Verify(task_id="verify", rollout=rollout)
        task.upstream_task_ids = {"old.terminate_vm"}
        return task

    run(verify, context)


def rotated(world: FakeWorld, when: str, service: str = "shop", **changes: Any) -> FakeRun:
    """Let the rotation of a service on a day have ended, well unless *changes* say otherwise."""
    run_id = f"rotation__{when}__{service}"
    made = FakeRun(**{"conf": {}, "state": "success", **changes})
    world.runs[f"rollout_{service}", run_id] = made
    return made


def context(world: FakeWorld, when: str = DAY, held: Any = None, **params: Any) -> Any:
    asked: dict[str, Any] = {
        "services": None,
        "spread": None,
        "again": False,
        "day": when,
        "dry_run": False,
    }
    asked.update(failures=None, at_once=None)
    ti = Ti(dag_id="rotate_fleet", pulled={"rotate held": held})
    now = datetime.fromtimestamp(world.clock.now, UTC)
    dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, run_after=now, run_type="manual")
    return {"ti": ti, "params": {**asked, **params}, "dag_run": dag_run}


def prove(world: FakeWorld, when: str = DAY, held: Any = None, **params: Any) -> Any:
    ctx = context(world, when, held, **params)
    plan = PlanRotation(task_id="plan").execute(ctx)
    return WriteProof(task_id="write_proof", plan=plan).execute(ctx)


def written(store: Path, when: str = DAY) -> dict[str, Any]:
    file: dict[str, Any] = json.loads((store / f"proof/{when}.json").read_text())
    return file


def test_each_vm_is_proved_by_the_evidence_of_its_rollout(world: FakeWorld, store: Path) -> None:
    rebuilt(world)
    prove(world)

    proof = written(store)["proof"]
    first, second = proof["vms"]
    assert first["name"] == NAMES[0]
    assert first["run"] == {"dag_id": "rollout_shop", "run_id": RUN_ID}
    assert (first["predecessor"], first["predecessor_vm_id"]) == (f"shop-{OLD}-0", 0)
    assert first["vm_id"] == 2
    assert first["certificate"] == "key-of-2"
    assert first["puppet"]["report_hash"] == "0123456789abcdef"
    assert first["puppet"]["transaction_uuid"] == "1"
    assert first["monitoring"] == {"well": True, "checks": {"ping": "ok", "app": "ok"}}
    assert first["balancer"]["predecessor_left"] == "2026-11-24T02:00:00Z"
    assert first["balancer"]["joined"] <= proof["written"]
    assert first["differences"] == ["package nmap 7.93: on the old VM only"]
    assert [vm["balancer"]["client_failures"] for vm in (first, second)] == [0, 1]
    assert proof["objections"] == []
    assert [(s["name"], s["state"]) for s in proof["services"]] == [("shop", "rotated")]


@pytest.mark.parametrize("wrote", [True, False], ids=["it had ended", "its verify had failed"])
def test_what_a_run_made_before_it_was_cleared_keeps_its_evidence(
    world: FakeWorld, store: Path, wrote: bool
) -> None:
    """They are whole and stay, so the plan of the second try has nothing new."""
    rebuilt(world)
    if not wrote:
        (store / f"evidence/shop/{ROLLOUT}.json").unlink()
    again = planned(service(), rollout=ROLLOUT)
    assert [vm["name"] for vm in again["plan"]["kept"]] == NAMES
    verified(again, [])
    prove(world)

    vms = written(store)["proof"]["vms"]
    assert [vm["run"]["run_id"] for vm in vms] == [RUN_ID, RUN_ID]
    assert [vm["compared"] for vm in vms] == [wrote, wrote]
    counted = [vm["balancer"]["client_failures"] for vm in vms]
    assert counted == ([0, 1] if wrote else [None, None])


def test_failures_that_nobody_counted_are_not_none(world: FakeWorld, store: Path) -> None:
    """Who was killed after it removed the old VM finds no count any more: 0 would be a lie."""
    rebuilt(world, counted=False)
    prove(world)

    pools = [vm["balancer"] for vm in written(store)["proof"]["vms"]]
    assert [pool["client_failures"] for pool in pools] == [None, None]
    assert "client failures not counted" in (store / f"proof/{DAY}.html").read_text()


def test_failures_are_not_counted_on_any_vm_when_the_balancer_was_restarted(
    world: FakeWorld, store: Path
) -> None:
    """It was seen at the second old VM; the new one of the first counts from 0 again as well."""
    rebuilt(world, restarted=True)
    prove(world)

    pools = [vm["balancer"] for vm in written(store)["proof"]["vms"]]
    assert [pool["client_failures"] for pool in pools] == [None, None]


def test_the_chain_is_checked_offline(
    world: FakeWorld, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuilt(world)
    for number in range(3):
        rotated(world, day(number))
        prove(world, day(number))
    capsys.readouterr()

    assert main([str(store / "proof")]) == 0
    told = capsys.readouterr().out
    assert f"3 days, {DAY} to {day(2)}: nothing was altered" in told

    file = store / f"proof/{day(1)}.json"
    file.write_text(file.read_text().replace('"vm_id": 2', '"vm_id": 9'))
    assert main([str(store / "proof")]) == 1
    told = capsys.readouterr().out
    assert f"altered: {day(1)}: vms/{NAMES[0]} was altered" in told
    assert "1 of them are not as written" in told


def test_a_chain_by_another_key_is_not_taken(
    world: FakeWorld, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuilt(world)
    prove(world)
    (key,) = (store / "proof/keys").iterdir()
    mine = tmp_path / "right.pem"
    mine.write_bytes(key.read_bytes())
    (tmp_path / "snowmelt-proof-key.pem").unlink()
    key.unlink()
    prove(world)  # by a new key, as somebody would who has the store and not the key

    assert main([str(store / "proof"), "--key", str(mine)]) == 1
    assert "not by a key of the installation" in capsys.readouterr().out


def test_there_may_be_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no proof" in capsys.readouterr().out


def test_the_key_of_the_installation_is_for_its_owner_only(
    world: FakeWorld, store: Path, tmp_path: Path
) -> None:
    rebuilt(world)
    prove(world)
    key = tmp_path / "snowmelt-proof-key.pem"

    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(Refused, match="can be read by others"):
        prove(world)


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


def test_a_later_try_writes_the_same_day_anew_and_no_day_that_another_is_chained_to(
    world: FakeWorld, store: Path
) -> None:
    rebuilt(world)
    prove(world)
    prove(world)
    rotated(world, day(1))
    prove(world, day(1))

    with pytest.raises(Refused, match=f"stands: {day(1)} is chained to it"):
        prove(world)
    assert main([str(store / "proof")]) == 0
    assert written(store, day(1))["proof"]["gate"]["in_all"] == {"asked": 2, "said_no": 0}


def test_a_day_that_is_proved_for_good_is_not_rotated_either(world: FakeWorld, store: Path) -> None:
    """A slip of the pen in `day` would rebuild the fleet for a proof that nobody may write."""
    rebuilt(world)
    rotated(world, day(1))
    prove(world, day(1))

    with pytest.raises(Refused, match=f"stands: {day(1)} is chained to it"):
        PlanRotation(task_id="plan").execute(context(world, day(0)))
    assert PlanRotation(task_id="plan").execute(context(world, day(1)))


def test_the_store_does_not_grow(world: FakeWorld, store: Path, tmp_path: Path) -> None:
    rebuilt(world)
    (tmp_path / "fleet.yaml").write_text("proof: {keep: 2d}")
    (store / "evidence/shop/zzzzzzz.json").write_text("{}")
    for number in range(8):
        rotated(world, day(number))
        prove(world, day(number))

    days = sorted(path.stem for path in (store / "proof").glob("*.json"))
    assert days == [day(5), day(6), day(7)]
    assert len(list((store / "proof").glob("*.html"))) == 3
    assert [path.name for path in (store / "evidence/shop").iterdir()] == [f"{ROLLOUT}.json"]
    assert main([str(store / "proof")]) == 0


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


def test_a_spoilt_proof_of_yesterday_does_not_cost_todays(
    world: FakeWorld, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told by today's, and the check names yesterday's."""
    rebuilt(world)
    prove(world)
    (store / f"proof/{DAY}.json").write_bytes(b'{"proof": "\xff')
    rotated(world, day(1))

    with pytest.raises(Refused, match=f"the proof of {DAY} is none any more"):
        prove(world, day(1))

    assert written(store, day(1))["proof"]["previous"]["day"] == DAY
    capsys.readouterr()
    assert main([str(store / "proof")]) == 1
    told = capsys.readouterr().out
    assert [line.split(": ")[:2] for line in told.splitlines()[:-2]] == [["altered", DAY]]


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


@pytest.mark.parametrize("altered", [False, True])
def test_an_exception_of_the_night_stands_when_the_day_is_proved_again_in_the_afternoon(
    world: FakeWorld, store: Path, tmp_path: Path, altered: bool
) -> None:
    """Nothing was rotated since: its old VMs are as excused as they were, by what we signed."""
    two_old(world)
    ctx = context(world)
    plan = PlanRotation(task_id="plan").execute(ctx)
    left = {"service": "shop", "kind": "blackout", "reason": "sale", "owner": "o", "until": day(1)}
    ctx["ti"].pulled["rotate left"] = [left]
    WriteProof(task_id="write_proof", plan=plan).execute(ctx)

    other = datetime.fromtimestamp(world.clock.now, UTC) + timedelta(days=3)
    window = {"begins": "22:00", "ends": "23:00", "days": [f"{other:%a}".lower()]}
    write_service(tmp_path / "services", maintenance={"windows": [window]})
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
