"""The forms of request_vm and extend_request."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from include.catalogue.requests import load_policy
from snowmelt.why import say_why
from tests.dags.conftest import DAGS
from tests.plugins.snowmelt.kit import service

pytestmark = pytest.mark.usefixtures("no_network")

POLICY = load_policy()
FORM = {"owner": "Ada", "purpose": "try a parser", "size": "small", "offer": "base"}


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, DAG]:
    asked = tmp_path / "asked"
    asked.mkdir()
    entry = service(name="parser", replicas=1, expires_at="2030-01-01T00:00:00Z")
    (asked / "parser.yaml").write_text(yaml.safe_dump(entry.model_dump(mode="json")))
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(asked))
    bag = DagBag(str(DAGS / "request_vm.py"))
    assert not bag.import_errors
    return dict(bag.dags)


def filled(dag: DAG, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run whose form was filled in so."""
    params = deepcopy(dag.params)
    params.update(asked)
    return dict(params.validate())


def test_both_are_there_and_say_why_they_fail(dags: dict[str, DAG]) -> None:
    assert set(dags) == {"request_vm", "extend_request"}
    for dag in dags.values():
        assert all(task.on_failure_callback in (say_why, [say_why]) for task in dag.tasks)


def test_what_was_asked_for_has_a_rollout_of_its_own(dags: dict[str, DAG]) -> None:
    assert "rollout_parser" in DagBag(str(DAGS / "rollout.py")).dags


def test_the_form_offers_what_the_policy_has(dags: dict[str, DAG]) -> None:
    params = dags["request_vm"].params

    assert params.get_param("size").schema["enum"] == list(POLICY.sizes)
    assert params.get_param("offer").schema["enum"] == sorted(POLICY.offers)
    assert filled(dags["request_vm"], FORM)["lifetime"] == "7d"
    for name in params:
        assert params.get_param(name).description, name


@pytest.mark.parametrize(
    "asked",
    [{"lifetime": "90m"}, {"name": "parser-2"}, {"offer": "shop", "release": "1.1"}],
    ids=str,
)
def test_the_form_takes(dags: dict[str, DAG], asked: dict[str, Any]) -> None:
    assert filled(dags["request_vm"], FORM | asked)["owner"] == "Ada"


@pytest.mark.parametrize(
    "asked",
    [
        {"owner": ""},
        {"purpose": ""},
        {"size": "huge"},
        {"offer": "windows"},
        {"release": "latest"},
        {"lifetime": "for ever"},
        {"lifetime": "0d"},
        {"name": "../shop"},
        {"name": "Shop"},
        {"name": "a\n"},
    ],
    ids=str,
)
def test_the_form_refuses(dags: dict[str, DAG], asked: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        filled(dags["request_vm"], FORM | asked)


def test_only_what_was_asked_for_can_be_kept_longer(dags: dict[str, DAG]) -> None:
    assert filled(dags["extend_request"], {"service": "parser"})["lifetime"] == "7d"
    with pytest.raises(ParamValidationError):
        filled(dags["extend_request"], {"service": "shop"})
