"""The catalogue for those who work on the whole fleet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.catalogue.loader import DEFAULT_FOLDER
from snowmelt.catalogue import known_services


def test_a_service_whose_file_is_wrong_is_told_and_keeps_no_other_from_being_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its VMs look like somebody else's until it is mended, and those are never touched."""
    shutil.copytree(DEFAULT_FOLDER, tmp_path / "services")
    worker = tmp_path / "services" / "worker.yaml"
    worker.write_text(worker.read_text().replace("replicas:", "replica:"))
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(worker.parent))

    assert list(known_services()) == ["accounts", "shop"]
    assert "worker.yaml: replica: unknown key" in caplog.text
