"""Every scenario against the recordings themselves: the proof that it would pass on that oned."""

from __future__ import annotations

import pytest

from tests.contract.cloud import Cloud
from tests.contract.coverage import RECORDED
from tests.contract.registry import Scenario, load
from tests.contract.transport import Replay

ALL = load()


@pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])
def test_scenario_accepts_what_oned_answered(scenario: Scenario) -> None:
    """Same code, same order, the recorded answers."""
    replay = Replay()
    scenario.run(Cloud(replay, RECORDED, "", "airflow-pw"))
