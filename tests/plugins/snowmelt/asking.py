"""What tests of requests share: the form, the folder, and something that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.catalogue.requests import load_policy
from snowmelt.hooks.requests import RequestsHook
from tests.forms import REQUEST
from tests.plugins.snowmelt.kit import Ti, context, service

NOW = datetime.now(UTC).replace(microsecond=0)
FORM = {"name": None, **REQUEST}


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a policy and a folder of its own."""
    file = tmp_path / "requests.yaml"
    file.write_text(load_policy().model_dump_json())
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(tmp_path / "asked"))
    return file


def asked(dag: str = "request_vm", at: datetime = NOW, ti: Ti | None = None, **params: Any) -> Any:
    """Return the context of a task whose form was filled in so."""
    told = context(ti or Ti(dag_id=dag), **{**FORM, **params})
    told["dag_run"].run_after = at
    return told


def kept(name: str = "shop", end: datetime = NOW + timedelta(days=2)) -> None:
    """Let somebody have asked for a VM of that name, behind the balancer of `shop`."""
    RequestsHook().ensure(service(name=name, replicas=1, expires_at=end))
