"""What is kept of each VM that a rollout made."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.facts import CloudVm
from include.planner import Facts
from include.proof import Run
from include.proof.evidence import Seen, evidence
from tests.include.planner.seen import NEW, NOW, health, planned, seen
from tests.include.planner.services import shop

NAME = f"shop-{NEW}-0"
VM = CloudVm(
    vm_id=20,
    name=NAME,
    phase="running",
    state="ACTIVE/RUNNING",
    created_at=NOW - timedelta(hours=1),
)


@pytest.mark.parametrize(
    ("state", "well"),
    [("ok", True), ("warning", True), ("pending", False), ("unknown", False), ("critical", False)],
)
def test_monitoring_is_well_when_each_check_has_said_so(state: str, well: bool) -> None:
    """One that nobody has run yet proves nothing."""
    service, run = shop(replicas=1), Run(dag_id="rollout_shop", run_id="r")
    facts = Facts(vms=(VM,), health=(health(f"{NAME}.lab.test", state),))
    plan = planned(service, seen())

    (made,) = evidence(service, plan, run, facts=facts, reports={}, seen=Seen(), now=NOW)

    assert made.monitoring
    assert made.monitoring.well is well
    assert made.monitoring.checks == {"ping": "ok", "app": state}
