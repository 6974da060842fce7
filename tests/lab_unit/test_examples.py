"""The example services: what the catalogue wants of them is there in the lab."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from include.catalogue.loader import DEFAULT_FOLDER, load_service, service_names
from include.catalogue.model import Service
from lab.release.packages import RELEASES
from lab.services import haproxy
from lab.settings import CHECKOUT, POOLS, Places

SERVICES = {name: load_service(name, DEFAULT_FOLDER) for name in service_names(DEFAULT_FOLDER)}
HIERA = CHECKOUT / "include" / "puppet" / "data"

each = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


@each
def test_its_package_has_two_releases_that_work(service: Service) -> None:
    """Or there would be nothing to deploy, and nothing to roll back to."""
    found = {r.version for r in RELEASES if r.package == service.package.name and r.installs}

    assert {"1.0", "1.1", service.release} <= found


@each
def test_its_pool_is_behind_the_balancer(service: Service, tmp_path: Path) -> None:
    """With a block for its members, which snowmelt-members keeps."""
    if service.balancer is None:
        assert f"backend {service.name}\n" not in haproxy.pools()
        return

    frontend = haproxy.pools().partition(f"frontend web_{service.balancer.pool}\n")[2]
    assert f"bind {POOLS[service.balancer.pool]}:80" in frontend.partition("backend")[0]
    assert f"# BEGIN snowmelt members {service.balancer.pool}\n" in frontend


@each
def test_the_balancer_reaches_exactly_what_is_behind_it(service: Service) -> None:
    """By the firewall of each machine, which Puppet writes from hiera."""
    values = yaml.safe_load((HIERA / "common.yaml").read_text())
    role = HIERA / "roles" / f"{service.puppet.role}.yaml"
    if role.exists():
        values |= yaml.safe_load(role.read_text())

    allowed = values["snowmelt_base::balancers"]
    assert allowed == (["198.18.0.80"] if service.balancer else [])
    if service.balancer:
        assert values["snowmelt_base::application_port"] == service.balancer.port


def test_the_shop_asks_accounts_only_where_a_site_says_so() -> None:
    """The demo has no accounts."""
    values = yaml.safe_load((HIERA / "common.yaml").read_text())

    assert "shop::settings" not in values
    assert not (HIERA / "roles" / "shop.yaml").exists()


def test_the_names_lead_to_the_balancer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and reverse."""
    from lab.services import knot

    monkeypatch.setattr(knot, "give", lambda _: None)
    monkeypatch.setattr(knot, "key", lambda _: "c2VjcmV0")
    places = Places(state=tmp_path, cache=tmp_path)

    knot._prepare(places)

    zones = places.of("knot") / "zones"
    forward = (zones / "lab.test.zone").read_text().splitlines()
    backward = (zones / "0.18.198.in-addr.arpa.zone").read_text().splitlines()
    assert {f"{pool} 30 A {address}" for pool, address in POOLS.items()} <= set(forward)
    assert "lb 30 A 198.18.0.80" in forward
    assert "81 30 PTR accounts.lab.test." in backward
    assert [line for line in backward if line.startswith("80 ")] == ["80 30 PTR lb.lab.test."]
