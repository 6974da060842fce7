"""From a rollout's evidence to a chain of proofs that anybody can check."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.errors import Refused
from snowmelt.operators.fleet_plan import PlanRotation
from snowmelt.verify_proof import main
from tests.plugins.snowmelt.kit import OLD, planned, service
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
    verified,
    written,
)
from tests.plugins.snowmelt.world import FakeWorld

__all__ = ["store"]


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
    (store / "evidence/shop/.zzzzzzz.json.77").write_text("{")  # whoever wrote it was killed
    (store / "evidence/vm-of-one").mkdir()
    (store / "evidence/vm-of-one/zzzzzzz.json").write_text("{}")
    (store / "proof").mkdir()
    (store / f"proof/.{day(0)}.json.77").write_text("{")
    theirs = [store / "evidence/shop/@eaDir", store / "evidence/shop/old.d", store / "proof/keys.d"]
    for each in theirs:
        each.mkdir()
    notes = [store / "evidence/shop/notes.txt", store / f"proof/{day(0)}-notes.txt"]
    for each in notes:
        each.write_text("ours to keep")
    for number in range(8):
        rotated(world, day(number))
        prove(world, day(number))

    days = sorted(path.stem for path in (store / "proof").glob("*.json"))
    assert days == [day(5), day(6), day(7)]
    assert len(list((store / "proof").glob("*.html"))) == 3
    assert [path.name for path in (store / "evidence/shop").glob("*.json")] == [f"{ROLLOUT}.json"]
    assert not list((store / "evidence/shop").glob(".*"))
    assert all(each.exists() for each in (*theirs, *notes))
    assert [path.name for path in (store / "evidence").iterdir()] == ["shop"]
    assert not list((store / "proof").glob(".*"))
    assert main([str(store / "proof")]) == 0


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
