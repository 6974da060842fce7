"""What a site tells its programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from lab.settings import CHECKOUT, Places
from lab.site import ASK_ACCOUNTS, tell


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A lab whose Puppet environment has been laid out."""
    found = Places(state=tmp_path, cache=tmp_path)
    target = found.of("puppet") / "code" / "environments" / "production"
    shutil.copytree(CHECKOUT / "include" / "puppet", target)
    return found


def role(places: Places, name: str) -> Path:
    """The hiera file of a role."""
    return places.of("puppet") / f"code/environments/production/data/roles/{name}.yaml"


def test_the_shop_is_told_to_ask_accounts_and_not_to(places: Places) -> None:
    """Afterwards everything is as it was."""
    tell(places, "shop", ASK_ACCOUNTS)

    said = yaml.safe_load(role(places, "shop").read_text())
    assert said == {"shop::settings": {"accounts_url": "http://accounts.lab.test/account"}}

    tell(places, "shop", {})

    assert not role(places, "shop").exists()


def test_what_a_role_has_beside_its_settings_stays(places: Places) -> None:
    """The worker's firewall does not depend on how often it takes stock."""
    tell(places, "worker", {"every": "1"})
    tell(places, "worker", {})

    assert yaml.safe_load(role(places, "worker").read_text()) == {"snowmelt_base::balancers": []}
