"""docker-compose.yaml: it hangs together, and every setting is one that Airflow or Celery knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import airflow
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docker-compose.yaml"
CELERY = {"result_backend", "broker_url", "worker_concurrency"}  # of the celery provider


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def test_airflow_s_parts_are_all_there_and_wait_for_the_migration(compose: dict[str, Any]) -> None:
    parts = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}

    assert parts < compose["services"].keys()
    assert all("migrate" in compose["services"][part]["depends_on"] for part in parts)


def test_what_is_depended_on_and_mounted_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert service.get("depends_on", {}).keys() <= compose["services"].keys()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (
                source.startswith("${") or source in compose["volumes"] or (ROOT / source).is_dir()
            )


def test_every_secret_that_is_asked_for_is_in_the_example_and_empty_there() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    example = (ROOT / "docs" / "compose.env.example").read_text()

    assert required == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_every_setting_is_one_that_airflow_knows(compose: dict[str, Any]) -> None:
    text = (Path(airflow.__file__).parent / "config_templates" / "config.yml").read_text()
    known = {section: set(body["options"]) for section, body in yaml.safe_load(text).items()}
    known["celery"] = CELERY
    names = [
        name.lower().split("__", 2)[1:]
        for name in compose["x-airflow"]["environment"]
        if name.startswith("AIRFLOW__")
    ]

    assert [name for section, name in names if name not in known[section]] == []


def test_nothing_is_published_beyond_loopback(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
