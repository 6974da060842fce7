"""What was meant for the catalogue and is read by nobody is told; what belongs to others is not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.catalogue.loader import DEFAULT_FOLDER
from include.catalogue.requests import RequestPolicy
from include.fleet.problems import all_problems

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOP = (DEFAULT_FOLDER / "shop.yaml").read_text(encoding="utf-8")


@pytest.fixture
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of `fleet.yaml`, above an empty one of the services."""
    (tmp_path / "services").mkdir()
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    monkeypatch.delenv("SNOWMELT_REQUESTS", raising=False)
    return tmp_path


def told(above: Path) -> list[str]:
    return [str(each).removeprefix(f"{above}/") for each in all_problems(NOW)]


@pytest.mark.parametrize("name", ["web.yaml", "web.yml"])
def test_a_service_that_stands_one_folder_too_high_is_told(above: Path, name: str) -> None:
    """Beside `fleet.yaml` nobody looks for it: it would have no DAG, and no mistake either."""
    (above / name).write_text(SHOP)

    assert told(above) == [f"{name}: is not read: move it to services/web.yaml"]


def test_one_that_stands_in_both_folders_is_to_go_from_the_upper_one(above: Path) -> None:
    """Moved, it would overwrite the one that counts."""
    (above / "shop.yaml").write_text(SHOP)
    (above / "services/shop.yaml").write_text(SHOP)

    assert told(above) == ["shop.yaml: is not read, and services/shop.yaml is: take it away"]


@pytest.mark.parametrize(
    "text",
    [
        SHOP.replace("opennebula:", "openebula:"),
        SHOP.replace("replicas: 2", "replicas: ["),
        SHOP.encode().replace(b"web team", b"J\xf6rg").decode("latin-1"),
        "name: web\npuppet: {role: web}\ndns : {zone: lab.test}\n",
    ],
    ids=["misspelt", "broken", "another encoding", "begun"],
)
def test_it_is_told_too_where_it_has_mistakes(above: Path, text: str) -> None:
    """These come to light where it is read."""
    (above / "web.yaml").write_text(text, encoding="latin-1")

    assert told(above) == ["web.yaml: is not read: move it to services/web.yaml"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fleet.yml", "budgets: {services: 2}\n"),
        ("requests.yml", "sizes: {small: {cpu: 1, vcpu: 1, memory_mb: 64}}\n"),
    ],
)
def test_what_holds_for_all_is_told_when_it_is_called_yml(
    above: Path, name: str, text: str
) -> None:
    """Its exceptions and budgets would hold for nobody."""
    (above / name).write_text(text)

    assert told(above) == [f"{name}: is not read: move it to {name.replace('.yml', '.yaml')}"]


def test_the_keys_that_tell_requests_are_such_as_it_has() -> None:
    assert {"offers", "sizes"} <= set(RequestPolicy.model_fields)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("netplan.yaml", "network:\n  version: 2\n  name: lan\n  dns: 1\n  puppet: 2\n"),
        ("compose.yml", "name: snowmelt\nservices: {puppet: {}, dns: {}, opennebula: {}}\n"),
        ("cloud.yaml", "#cloud-config\nhostname: web\npuppet: {conf: {}}\ndns: []\n"),
        ("puppet.yaml", "name: puppet\npuppet: {server: puppet}\n"),
        ("list.yaml", "- name\n- dns\n- puppet\n- opennebula\n"),
        ("fleet.yml", "agents: [one, two]\n"),
        ("deep.yaml", "[" * 30_000),
        ("empty.yaml", ""),
        ("shop.yaml.old", SHOP),
        ("shop.txt", SHOP),
    ],
)
def test_what_belongs_to_others_is_left_alone(above: Path, name: str, text: str) -> None:
    """The folder above may be /etc; a parser of YAML would end the process over the deep one."""
    (above / name).write_text(text)

    assert told(above) == []


def test_what_is_no_file_or_not_to_be_read_is_left_alone(above: Path) -> None:
    """A pipe would be waited for without an end."""
    (above / "folder.yaml").mkdir()
    (above / "gone.yaml").symlink_to(above / "nowhere")
    (above / "bytes.yaml").write_bytes(bytes(range(256)) * 1000)
    os.mkfifo(above / "pipe.yaml")

    assert told(above) == []


def test_the_files_that_come_with_snowmelt_stand_where_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SNOWMELT_CATALOGUE", raising=False)
    monkeypatch.delenv("SNOWMELT_REQUESTS", raising=False)

    assert all_problems(NOW) == []


def test_what_people_asked_for_is_read_there(above: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue may be a folder within that of the requests."""
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(above / "services/.."))
    entry = SHOP + 'expires_at: "2999-01-01T00:00:00Z"\n'
    (above / "shop.yaml").write_text(entry)

    assert told(above) == []


def test_a_catalogue_that_is_named_by_a_dot_has_no_folder_above(
    above: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its services are where they belong."""
    (above / "services/shop.yaml").write_text(SHOP)
    monkeypatch.chdir(above / "services")
    monkeypatch.setenv("SNOWMELT_CATALOGUE", ".")

    assert told(above) == []


def test_services_beside_a_folder_that_is_missing_are_told(above: Path) -> None:
    """Somebody may have put them all beside `fleet.yaml`."""
    (above / "services").rmdir()
    (above / "shop.yaml").write_text(SHOP)

    assert told(above) == [
        "services: is no folder: SNOWMELT_CATALOGUE names that of the services",
        "shop.yaml: is not read: move it to services/shop.yaml",
    ]
