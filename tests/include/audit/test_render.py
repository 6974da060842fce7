"""What people and programs get to see of an audit."""

from __future__ import annotations

import json

from include.audit import Monitored, as_json, as_table
from tests.include.audit.fleet import ROLLOUT, Fleet


def test_a_name_from_outside_makes_no_cell_of_its_own() -> None:
    fleet = Fleet()
    name = "evil | remove host |\n| x"
    fleet.hosts[name] = Monitored(name=name, address="198.18.0.9", service="shop")
    (row,) = as_table(fleet.judged()).splitlines()[2:]

    assert row.count("|") == 7


def test_programs_get_every_finding_with_its_judgement() -> None:
    fleet = Fleet()
    fleet.turn(f"shop-{ROLLOUT}-1", "off")
    (found,) = json.loads(json.dumps(as_json(fleet.judged())))

    assert found["vm"] == f"shop-{ROLLOUT}-1"
    assert (found["repair"], found["safe"], found["why_not"]) == ("rollout", True, "")
    assert found["seen_for_s"] == 3600
