"""Nothing that the product calls, or may be answered, is without a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import recorded
from tests.contract.coverage import OUTCOMES, product_calls, replayed
from tests.contract.registry import load
from tests.contract.scenarios.system import PRODUCT_CALLS

TEXTS = ("http", "onegate", "zmq")  # exchanges that are kept in other forms


@pytest.fixture(scope="module")
def seen_and_used() -> tuple[set[tuple[str, int]], set[str]]:
    """One run of all scenarios against the recordings."""
    return replayed(load())


@pytest.mark.parametrize("call", sorted(OUTCOMES))
def test_every_outcome_of_a_call_has_a_scenario(
    call: str, seen_and_used: tuple[set[tuple[str, int]], set[str]]
) -> None:
    """Success and each error that the call can meet."""
    missing = OUTCOMES[call] - {outcome for name, outcome in seen_and_used[0] if name == call}
    assert not missing, f"{call}: no scenario for {[hex(code) for code in sorted(missing)]}"


def test_every_call_of_the_product_is_in_the_table() -> None:
    """A new call in the product needs a row, and the row needs scenarios."""
    calls = product_calls()
    assert "one.template.instantiate" in calls, "the search finds nothing any more"
    assert calls - OUTCOMES.keys() == set()


def test_every_call_of_the_table_is_tried_with_a_wrong_session() -> None:
    """The scenario for 0x0100 works through a table of its own."""
    assert {call for call in OUTCOMES if call.startswith("one.")} <= PRODUCT_CALLS.keys()


def test_no_recording_lies_idle(seen_and_used: tuple[set[tuple[str, int]], set[str]]) -> None:
    """A recording that no scenario uses proves nothing about a front-end."""
    folders = [path.name for path in recorded.FOLDER.iterdir() if path.name not in TEXTS]
    kept = {name for folder in folders for name in recorded.names(folder)}
    kept |= {f"{folder}/{path.name}" for folder in TEXTS for path in _texts(folder)}
    assert kept - seen_and_used[1] == set()


def _texts(folder: str) -> list[Path]:
    return sorted((recorded.FOLDER / folder).glob("*.txt"))


def test_new_call_in_the_product_is_found(tmp_path: Path) -> None:
    """The search sees calls through a client, not methods of other hooks."""
    source = "self._one.vm.migrate(1, 2)\nself.balancer.vm.drain(1)\nfoo(self._one.host.info)\n"
    (tmp_path / "hook.py").write_text(source)
    assert product_calls(tmp_path) == {"one.vm.migrate", "one.host.info"}
