"""The text of a plan is in the narratives; here is what they do not show."""

from __future__ import annotations

import json

from include.planner import as_json, as_markdown
from tests.include.planner.seen import planned, seen, vm
from tests.include.planner.services import shop


def test_the_reason_of_the_person_is_on_top() -> None:
    """Why the run was started."""
    plan = planned(shop(), seen(vm(0), vm(1)), reason="the disk image was patched")

    assert "Why: the disk image was patched" in as_markdown(plan)


def test_programs_get_the_moves_with_their_reasons() -> None:
    """The same decision as JSON."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.1")

    moves = json.loads(as_json(plan))["moves"]

    assert [move["verb"] for move in moves] == [move.verb for move in plan.moves]
    assert moves[-1]["reason"] == "release 1.0 is not 1.1"
