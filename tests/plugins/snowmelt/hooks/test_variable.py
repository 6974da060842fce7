"""What is kept in Airflow's Variables, and what people do to it.

What Airflow itself answers is asked of a real one in tests/dags/test_front_door_runs.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from include.audit import Memory
from include.last_good import Good
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.audit_memory import AuditMemoryHook
from snowmelt.hooks.good_releases import GoodReleasesHook
from snowmelt.hooks.placements import PlacementsHook

GOOD = "snowmelt_last_good_shop"
MEMORY = Memory(
    seen={"PuppetDB: node x: orphan": 1.5},
    lost=frozenset({"shop-k3f7x2q-0"}),
    missed=frozenset({"shop-k3f7x2q-1", "shop-k3f7x2q-2"}),
    rollouts={"shop-k3f7x2q": 2.5},
)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}

    def write(key: str, value: str, description: str = "") -> None:
        assert description, "people find it in Airflow's list"
        kept[key] = value

    def named(prefix: str) -> list[str]:
        return [name for name in kept if name.startswith(prefix)]

    monkeypatch.setattr(Variable, "get", lambda key, default: kept.get(key, default))
    monkeypatch.setattr(Variable, "set", write)
    monkeypatch.setattr(Variable, "keys", named)
    monkeypatch.setattr(Variable, "delete", lambda key: kept.pop(key, None))
    return kept


@pytest.mark.usefixtures("variables")
def test_before_the_first_time_nothing_is_known() -> None:
    assert GoodReleasesHook().read("shop") == []
    assert PlacementsHook().read("shop") == {}
    assert AuditMemoryHook().read() == Memory()


def test_what_was_kept_is_read_again_and_forgotten_by_its_name(variables: dict[str, str]) -> None:
    good, placed = [Good(release="1.0", at="now", run="r")], {"dns.zone": "example.org"}
    GoodReleasesHook().write("shop", good)
    PlacementsHook().write("shop", placed)
    AuditMemoryHook().write(MEMORY)

    assert GoodReleasesHook().read("shop") == good
    assert PlacementsHook().read("shop") == placed
    assert AuditMemoryHook().read() == MEMORY
    assert GoodReleasesHook().read("shop-two") == []

    GoodReleasesHook().forget("shop")
    PlacementsHook().forget("shop")
    assert list(variables) == ["snowmelt_audit"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{"release": "1.0",', "all of it: Invalid JSON"),
        ("", "all of it: Invalid JSON"),
        ('{"release": "1.0"}', "all of it: Input should be a valid"),
        ('[{"release": "1.0", "run": "r"}]', "0.at: Field required"),
        (
            '[{"release": 1.0, "at": "now", "run": "r"}]',
            "0.release: Input should be a valid string",
        ),
    ],
)
def test_what_somebody_has_spoilt_is_told_and_stays(
    variables: dict[str, str], text: str, place: str
) -> None:
    variables[GOOD] = text

    with pytest.raises(Refused, match=f"{GOOD} .*cannot be read: {place}.*: mend it, or delete"):
        GoodReleasesHook().read("shop")
    assert variables == {GOOD: text}


def test_a_variable_that_airflow_has_and_does_not_give_is_not_taken_for_none(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its API server was away for one request: Airflow's SDK says that there is none."""
    variables[GOOD] = "[]"
    monkeypatch.setattr(Variable, "get", lambda key, default: default)

    with pytest.raises(SnowmeltError, match=f"has a Variable {GOOD} and could not read it"):
        GoodReleasesHook().read("shop")


@pytest.mark.usefixtures("variables")
def test_an_airflow_that_does_not_answer_is_not_taken_for_one_without_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(prefix: str) -> Any:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR))

    monkeypatch.setattr(Variable, "keys", away)

    with pytest.raises(SnowmeltError, match=f"cannot say whether it has a Variable {GOOD}"):
        GoodReleasesHook().read("shop")
