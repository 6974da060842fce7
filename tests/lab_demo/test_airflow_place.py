"""What Airflow's processes are given: folders, secrets, settings, command lines."""

from __future__ import annotations

import configparser
import os
import stat
import sys
from pathlib import Path

import pytest
import yaml

from lab.airflow import programs, secrets, settings, supervise
from lab.airflow.place import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(os, "chown", lambda *_: None)
    checkout = Path(sys.prefix).parent
    made = Place(state=tmp_path, cache=tmp_path / "c", netns="lab", checkout=checkout, dags="dags")
    made.secrets.mkdir(parents=True)
    made.database_password.parent.mkdir()
    made.database_password.write_text("db-pw\n")
    return made


def test_secrets_are_made_once_and_nobody_else_can_read_them(place: Place) -> None:
    first, second = secrets.load(place), secrets.load(place)

    assert first == second
    assert len({first.fernet, first.jwt, first.session}) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.secrets.iterdir()} == {0o600}
    assert secrets.password(place) != secrets.password(place, "viewer")


def test_before_the_lab_is_up_there_is_no_database_to_log_in_to(place: Place) -> None:
    place.database_password.unlink()

    with pytest.raises(FileNotFoundError):
        secrets.load(place)


def test_the_environment_knows_only_paths_that_the_lab_s_user_can_reach(place: Place) -> None:
    made = settings.environment(place, secrets.load(place), ui_port=8081)

    assert made["AIRFLOW__CORE__DAGS_FOLDER"] == str(place.mount / "dags")
    assert made["PYTHONPATH"] == f"{place.mount}/plugins:{place.mount}"
    assert made["AIRFLOW__API__BASE_URL"].endswith(":8081")
    assert made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(
        "postgresql+psycopg2://airflow:db-pw@"
    )
    assert str(place.checkout) not in " ".join(made.values()).replace(str(place.mount), "")


def test_every_setting_is_one_that_airflow_knows(place: Place) -> None:
    import airflow

    text = (Path(airflow.__file__).parent / "config_templates" / "config.yml").read_text()
    known = {section: set(body["options"]) for section, body in yaml.safe_load(text).items()}
    made = settings.environment(place, secrets.load(place), ui_port=8080)
    names = [name.lower().split("__", 2)[1:] for name in made if name.startswith("AIRFLOW__")]

    assert [name for section, name in names if name not in known[section]] == []


def test_all_four_are_supervised_and_die_with_everything_they_started(place: Place) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(supervise.configuration(place))

    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        program = parser[f"program:{name}"]
        assert program["stopasgroup"] == program["killasgroup"] == program["autorestart"] == "true"
        assert program["command"].startswith("unshare --pid")
        assert "--reuid=7001" in program["command"]
        assert program["command"].endswith(f"-m airflow {name}")


def test_programs_enter_the_network_and_the_mount_before_they_drop_root(place: Place) -> None:
    command = programs.as_lab(place, "-m", "airflow", "db", "migrate")

    assert command[:4] == ["ip", "netns", "exec", "lab"]
    assert command.index("lab.airflow.inside") < command.index("setpriv")
    assert command[-4:] == ["-m", "airflow", "db", "migrate"]
    assert str(place.mount) in command[command.index("--clear-groups") + 1]
