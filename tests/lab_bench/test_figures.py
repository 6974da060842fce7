"""The arithmetic of the bench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from include.catalogue.fleet import Budgets, load_fleet
from include.catalogue.loader import try_all
from lab.bench import beside, cost, report
from lab.bench.calls import Calls
from lab.bench.catalogue import write_catalogue
from lab.bench.floor import Budget, Shape, chain_s, floor_s
from lab.bench.guests import Waits
from lab.bench.measure import Bench
from lab.settings import places

WAITS = Waits()


def test_one_services_floor_is_its_chain() -> None:
    """5 + 90 boot, 5 + 30 enrol, 1 check, 1 join, 10 canary, 1 join, 5 settle, 30, 30, 5."""
    shape = Shape(services=1, replicas=4)

    assert chain_s(shape, WAITS) == 213
    assert floor_s(shape, WAITS, Budget()) == 213


def test_few_vms_waiting_at_once_make_the_fleet_boot_in_turns() -> None:
    """7 services of 4 at a time, 95 s each: 36 turns; the last service goes on for 118 s."""
    wide = Budget(services=1000, vms_above_plan=1000, vms_waiting=30)

    assert floor_s(Shape(services=250, replicas=4), WAITS, wide) == 36 * 95 + 118


def test_few_services_at_once_take_turns() -> None:
    narrow = Budget(services=10, vms_above_plan=40, vms_waiting=1000)

    assert floor_s(Shape(services=250, replicas=4), WAITS, narrow) == 25 * 213


def test_both_budgets_together_keep_a_fleet_longer_than_each_of_them() -> None:
    """Five services boot at a time, so the second five of each ten are 95 s behind."""
    floor = floor_s(Shape(services=250, replicas=4), WAITS, Budget())

    assert floor == 24 * 213 + 95 + 213


def test_a_service_larger_than_a_budget_goes_alone() -> None:
    large = Shape(services=2, replicas=50)

    assert floor_s(large, WAITS, Budget()) == 2 * chain_s(large, WAITS)


def test_the_floors_budgets_are_those_of_the_product() -> None:
    """Both stand in files of their own, because the lab does not import the product."""
    ours, theirs = Budget(), Budgets()

    assert ours.services == theirs.services
    assert ours.vms_above_plan == theirs.vms_above_plan
    assert ours.vms_waiting == theirs.vms_waiting


def test_a_service_of_the_bench_is_a_service_of_the_catalogue(tmp_path: Path) -> None:
    names = write_catalogue(tmp_path / "services", 3, replicas=4, watch_s=0.2)

    found, problems = try_all(tmp_path / "services")

    assert [service.name for service in found.values()] == names
    assert {service.replicas for service in found.values()} == {4}
    assert problems == []
    assert load_fleet(tmp_path / "fleet.yaml").budgets == Budgets()


def test_calls_are_told_per_vm_and_by_what_they_change() -> None:
    calls = Calls()
    for _ in range(4):
        calls.add("balancer", "show stat", mutating=False)
    with calls.connected("balancer"), calls.connected("balancer"):
        calls.add("balancer", "add server", mutating=True)
        calls.add("balancer", "add server", mutating=True)

    found = report.calls(calls.report(), vms=2)

    assert found["calls_per_vm"] == {"balancer": 3.0}
    assert found["mutating_calls_per_vm"] == 1.0
    assert found["peak_connections"] == 2
    calls.reset()
    assert calls.report() == {}


def test_the_report_is_written_and_shown(tmp_path: Path) -> None:
    """What was not measured is null in the file, a dash in the table, and nowhere a zero."""
    calls = {"nameserver": {"calls": {"update": 4}, "mutating": 4, "peak_connections": 1}}
    measured = {"parse_500_s": 3.21, "deploy_ratio": 1.4, **report.calls(calls, vms=2)}
    found = report.whole(measured, {"rotation": "TimeoutError: in vain"})
    report.write(tmp_path / "bench" / "report.json", found)

    lines = [line.split() for line in report.table(found).splitlines()]

    written = json.loads((tmp_path / "bench" / "report.json").read_text())
    assert set(report.FIGURES) <= set(written)
    assert written["rotation_ratio"] is None
    assert written["errors"] == {"rotation": "TimeoutError: in vain"}
    assert ["500", "services", "are", "parsed", "in,", "seconds", "3.2", "≤", "5"] in lines
    assert any(line[-4:] == ["1.40", "≤", "1.3", "MISSED"] for line in lines)
    assert any(line[-3:] == ["–", "≤", "1.25"] for line in lines)
    assert ["nameserver", "2.0", "2.0", "1"] in lines
    assert ["rotation", "FAILED:", "TimeoutError:", "in", "vain"] in lines


def test_a_part_that_fails_leaves_the_others_their_figures(tmp_path: Path) -> None:
    """And what it had found until then."""
    said: list[str] = []
    bench = Bench(vms=12, speed=1.0, say=said.append, logs=tmp_path)

    def half() -> dict[str, Any]:
        bench.note({"services_rotated": 2})
        raise TimeoutError("in vain")

    bench.try_to("rotation", half)
    bench.try_to("parse", lambda: {"parse_500_s": 3.0})

    assert bench.found == {"services_rotated": 2, "parse_500_s": 3.0}
    assert bench.errors == {"rotation": "TimeoutError: in vain"}
    assert "rotation FAILED: TimeoutError: in vain" in said


def test_the_machine_tells_how_much_of_it_was_used() -> None:
    before = cost.machine_s()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    grown = {name: value - before[name] for name, value in cost.machine_s().items()}

    assert grown["all"] - grown["idle"] - grown["stolen"] >= 0.08
    assert min(grown.values()) >= 0


def test_the_cost_of_a_process_has_that_of_its_dead_children() -> None:
    """A shell that has waited for a busy child."""
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    shell = ["sh", "-c", f"sh -c '{busy}'; echo done; read line"]
    process = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    spent, kept = cost.cpu_s(process.pid), cost.memory_mb(process.pid)
    process.communicate(b"\n")

    assert spent > 0.02
    assert kept > 0.1
    assert cost.cpu_s(process.pid) == 0


def test_the_bench_leaves_the_lab_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes down what it finds in its network, so it has to be its own."""
    monkeypatch.setattr(beside, "NETNS", "lab")
    with (
        pytest.raises(ValueError, match="does not work in the network lab"),
        beside.world(places(), Shape(services=1, replicas=1), 1.0),
    ):
        pass


def test_the_command_goes_into_a_network_and_a_folder_of_its_own(tmp_path: Path) -> None:
    code = "import lab.bench.__main__; from lab import settings as s; print(s.NETNS, s.places())"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SNOWMELT")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
    )

    assert done.stdout.startswith("snowmelt-bench ")
    assert "snowmelt-lab" not in done.stdout
