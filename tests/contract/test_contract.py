"""Every scenario against a living endpoint. Run: pytest tests/contract -m contract -rs"""

from __future__ import annotations

import secrets

import pytest

from tests.contract.cleanup import clean_up
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, Scenario, load
from tests.contract.site import Site
from tests.contract.transport import Wire

ALL = load()


@pytest.mark.contract
@pytest.mark.timeout(180)
@pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])
def test_endpoint_behaves_as_recorded(scenario: Scenario, site: Site, prefix: str) -> None:
    """One situation; whatever it made is gone afterwards, also when it failed."""
    lacks = scenario.lacks(site)
    if lacks:
        pytest.skip("; ".join(lacks))
    cloud = Cloud(Wire(site.url), site, prefix, secrets.token_hex(8))
    try:
        scenario.run(cloud)
    finally:
        left = clean_up(cloud)
    assert not left, left


@pytest.mark.contract
def test_lab_without_onegate_refuses_tokens(tmp_path: pytest.TempPathFactory, prefix: str) -> None:
    """templates/19 was recorded before ONEGATE_ENDPOINT was set: it gets a front-end of its own."""
    assert Need.NO_ONEGATE
