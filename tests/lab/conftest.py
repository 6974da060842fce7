"""The running lab with Airflow beside it, and what end-to-end tests need of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lab.airflow.beside import Beside
from lab.airflow.client import Airflow
from lab.demo import world as worlds
from lab.demo.scene import DAG
from lab.load.process import Load, clicking
from lab.settings import CHECKOUT
from tests.lab.fleet import Fleet
from tests.lab.service import Accounts, Example, Shop, Worker, bring_up

Clicking = Callable[..., AbstractContextManager[Load]]


@pytest.fixture(scope="session", autouse=True)
def lab_of_this_code() -> None:
    """The lab, brought up unless it runs; one that other code has started is taken down first."""
    os.umask(0o022)  # what tests put into it is read by other accounts
    subprocess.run([sys.executable, "-m", "lab", "up", "--fresh"], cwd=CHECKOUT, check=True)


@pytest.fixture(scope="session")
def beside(lab_of_this_code: None) -> Beside:
    """The lab and Airflow, brought up unless they run. They stay up: the next run is quick."""
    beside = Beside()
    beside.start(lambda _: None).close()
    return beside


@pytest.fixture(scope="session")
def airflow(beside: Beside) -> Iterator[Airflow]:
    """A client of Airflow's REST API as admin, with the rollout DAG parsed."""
    with beside.client() as client:
        client.wait_for_dag(DAG)
        yield client


@pytest.fixture
def load(beside: Beside, tmp_path: Path) -> Clicking:
    """`with load() as clients:` lets clients click; `clients.totals()` afterwards is the whole."""

    crowds = count()  # several may click at once

    def clicks(*arguments: str) -> AbstractContextManager[Load]:
        return clicking(tmp_path / f"load-{next(crowds)}.json", *arguments)

    return clicks


@pytest.fixture
def world(beside: Beside) -> Callable[[], worlds.World]:
    """`world()` reads every system; compare two with `lab.demo.world.changes`."""
    return worlds.snapshot


@pytest.fixture
def rolled(airflow: Airflow) -> Callable[..., tuple[str, str]]:
    """`rolled(release="1.0")` runs a rollout to its end and returns run id and state."""

    def roll(seconds: float = 300, **params: Any) -> tuple[str, str]:
        run_id = airflow.trigger(DAG, **params)
        return run_id, airflow.wait_for_run(DAG, run_id, seconds)

    return roll


@pytest.fixture(scope="session")
def examples(airflow: Airflow, beside: Beside) -> list[Example]:
    """The services of the catalogue, up: started together they take little longer than one."""
    services: list[Example] = [kind(airflow, beside, clicking) for kind in (Accounts, Shop, Worker)]
    bring_up(services)
    return services


@pytest.fixture
def shop(examples: list[Example], airflow: Airflow, beside: Beside, load: Clicking) -> Shop:
    """The example service, with the systems around it."""
    return Shop(airflow, beside, load)


@pytest.fixture
def accounts(examples: list[Example], airflow: Airflow, beside: Beside, load: Clicking) -> Accounts:
    """The example service that is rolled, with the systems around it."""
    return Accounts(airflow, beside, load)


@pytest.fixture(scope="module")
def fleet(examples: list[Example], airflow: Airflow, beside: Beside) -> Iterator[Fleet]:
    """The three services of the catalogue, all up, and the rotation switched on."""
    fleet = Fleet(airflow, beside, examples)
    airflow.wait_for_dag("rotate_fleet")
    fleet.prepare()
    with fleet.switched_on():
        yield fleet
