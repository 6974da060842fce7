"""The endpoint under test: the one of the environment, else the lab's front-end, started here."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.cleanup import leftovers
from tests.contract.frontend import private_frontend
from tests.contract.site import Site, discover, read_auth

RUN = f"ct-{secrets.token_hex(2)}"  # what all names of this run begin with
_numbers = itertools.count()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What ONE_XMLRPC, ONE_AUTH, ONE_ONEGATE, ONE_EVENTS and ONE_SWITCHES say, or a private lab."""
    url = os.environ.get("ONE_XMLRPC")
    if url:
        given = _site_of_environment(url)
        yield given
        assert leftovers(given, RUN) == []
        return
    with private_frontend(tmp_path_factory.mktemp("opennebula")) as private:
        yield private
        assert leftovers(private, RUN) == []


@pytest.fixture
def prefix() -> str:
    """What the names of one scenario begin with: nobody else's object can be meant."""
    return f"{RUN}{next(_numbers):02x}-"


def _site_of_environment(url: str) -> Site:
    switches = os.environ.get("ONE_SWITCHES")
    return discover(
        url,
        read_auth(os.environ.get("ONE_AUTH", "oneadmin:oneadmin")),
        onegate=os.environ.get("ONE_ONEGATE", ""),
        events=os.environ.get("ONE_EVENTS", ""),
        switches=Path(switches) if switches else None,
    )
