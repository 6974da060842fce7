"""The text of a plan is in the narratives; here is what they do not show."""

from __future__ import annotations

from include.planner import as_markdown
from tests.include.planner.seen import planned, seen, vm
from tests.include.planner.services import shop


def test_the_reason_of_the_person_is_on_top() -> None:
    """Why the run was started."""
    plan = planned(shop(), seen(vm(0), vm(1)), reason="the disk image was patched")

    assert "Why: the disk image was patched" in as_markdown(plan)
