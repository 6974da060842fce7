"""Every scenario against a living endpoint. Run: pytest tests/contract -m contract -rs"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.contract.cleanup import clean_up
from tests.contract.cloud import Cloud
from tests.contract.frontend import private_frontend
from tests.contract.registry import SCENARIOS, Need, Scenario, load
from tests.contract.site import Site
from tests.contract.transport import Wire

OF_ITS_OWN = "instantiate.token_without_onegate_fails"
ALL = [scenario for scenario in load() if scenario.name != OF_ITS_OWN]


@pytest.mark.contract
@pytest.mark.timeout(180)
@pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])
def test_endpoint_behaves_as_recorded(scenario: Scenario, site: Site, prefix: str) -> None:
    """One situation; whatever it made is gone afterwards, also when it failed."""
    lacks = scenario.lacks(site)
    if lacks:
        pytest.skip(f"{scenario.name} {'; '.join(lacks)}")
    _run(scenario, site, prefix)


@pytest.mark.contract
def test_token_needs_a_onegate(tmp_path: Path, prefix: str) -> None:
    """templates/19 was recorded before ONEGATE_ENDPOINT was set: a lab without one is started."""
    if "ONE_XMLRPC" in os.environ:
        pytest.skip(f"{OF_ITS_OWN} {Need.NO_ONEGATE.value}")
    with private_frontend(tmp_path, onegate=False) as bare:
        _run(SCENARIOS[OF_ITS_OWN], bare, prefix)


def _run(scenario: Scenario, site: Site, prefix: str) -> None:
    cloud = Cloud(Wire(site.url), site, prefix, secrets.token_hex(8))
    try:
        scenario.run(cloud)
    finally:
        left = clean_up(cloud)
    assert not left, left
