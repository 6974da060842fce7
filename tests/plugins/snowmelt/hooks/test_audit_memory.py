"""The memory of the audits, in a Variable of Airflow."""

from __future__ import annotations

from typing import Any

import pytest

from include.audit import Memory
from snowmelt.hooks.audit_memory import NAME, AuditMemoryHook


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kept: dict[str, Any] = {}

    def read(key: str, default: Any = None, deserialize_json: bool = False) -> Any:
        assert deserialize_json
        return kept.get(key, default)

    def write(key: str, value: Any, description: str = "", serialize_json: bool = False) -> None:
        assert serialize_json
        assert description
        kept[key] = value

    monkeypatch.setattr("airflow.sdk.Variable.get", read)
    monkeypatch.setattr("airflow.sdk.Variable.set", write)
    return kept


def test_the_first_audit_remembers_nothing(variables: dict[str, Any]) -> None:
    assert AuditMemoryHook().read() == Memory()


def test_the_next_audit_reads_what_the_last_one_wrote(variables: dict[str, Any]) -> None:
    memory = Memory(seen={"PuppetDB: node x: orphan": 1.5}, rollouts={"shop-k3f7x2q": 2.5})
    AuditMemoryHook().write(memory)

    assert AuditMemoryHook().read() == memory
    assert list(variables) == [NAME]
