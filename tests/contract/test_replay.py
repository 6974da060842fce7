"""Every scenario against the recordings themselves: the proof that it would pass on that oned."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract import cloud as cloud_module
from tests.contract import recorded
from tests.contract.cloud import Cloud
from tests.contract.coverage import RECORDED
from tests.contract.registry import Scenario, load
from tests.contract.sabotage import Sabotaged, shortened, turned
from tests.contract.transport import Replay
from tests.contract.wire import Answer

ALL = load()
# States that last a moment: compared only by whoever comes in time.
MOMENTS = {"vnets/02-info", "vnets/12-info-reservation", "vnets/25-info-ethernet-ar"}
# Compared in one part only (`only=`), or by a check of its own that looks at something else.
PARTLY = {
    "users/37-user-info-quota",
    "vm-actions/72-info-with-sched-action",
    "vm-pool/20-vmpool-of-user-2",
}


@pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])
def test_scenario_accepts_what_oned_answered(scenario: Scenario) -> None:
    """Same code, same order, the recorded answers."""
    scenario.run(Cloud(Replay(), RECORDED, "", "airflow-pw"))


def test_each_wrong_outcome_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Success for error or error for success, in any one call: some scenario must fail."""
    assert _unnoticed(turned, monkeypatch) - MOMENTS == set()


def test_each_incomplete_document_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a document without its states (or names, where it has no state)."""
    assert _unnoticed(shortened, monkeypatch) - MOMENTS - PARTLY == set()


def _unnoticed(wrong: Callable[[Answer], Answer], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Recordings that may be answered wrongly without any scenario failing."""
    monkeypatch.setattr(cloud_module, "DEADLINE", 0.0)
    return {
        name
        for name, scenarios in _users().items()
        if wrong(recorded.answer(name)) != recorded.answer(name)
        and not any(_fails(scenario, name, wrong) for scenario in scenarios)
    }


def _users() -> dict[str, list[Scenario]]:
    """The scenarios that use each recording."""
    users: dict[str, list[Scenario]] = {}
    for scenario in ALL:
        replay = Replay()
        scenario.run(Cloud(replay, RECORDED, "", "airflow-pw"))
        for name in dict.fromkeys(name for name, _ in replay.asked):
            users.setdefault(name, []).append(scenario)
    return users


def _fails(scenario: Scenario, name: str, wrong: Callable[[Answer], Answer]) -> bool:
    try:
        scenario.run(Cloud(Sabotaged(name, wrong), RECORDED, "", "airflow-pw"))
    except (AssertionError, LookupError, ValueError):  # LookupError: it lacks what it should make
        return True
    return False
