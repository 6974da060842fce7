"""A catalogue and a database of the test's own, and the cloud in memory behind the hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from airflow.configuration import conf
from airflow.utils.db import initdb
from airflow.utils.session import create_session

from tests.plugins.snowmelt.fixtures import no_network, world
from tests.plugins.snowmelt.kit import service

__all__ = ["no_network", "world"]

DAGS = Path(__file__).parents[2] / "dags"

Catalogue = Callable[..., Path]


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return a function that writes services of the given names into a new catalogue."""

    def write(*names: str, **changes: object) -> Path:
        for name in names:
            entry = service(**{"name": name, **changes}).model_dump(mode="json")
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(entry))
        return tmp_path

    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path))
    return write


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """Make a metadata database for `dag.test()`, in the AIRFLOW_HOME of this test run."""
    assert "snowmelt-tests-" in conf.get("database", "sql_alchemy_conn")
    initdb()
    yield
    with create_session() as session:
        session.close()
