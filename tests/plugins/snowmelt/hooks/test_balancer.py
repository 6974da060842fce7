"""The contracts of balancers, monitorings and firewalls are held to, not only written down."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.errors import Missing
from snowmelt.hooks.balancer import Balancer, balancer_for
from snowmelt.hooks.firewall import Firewall
from snowmelt.hooks.monitoring import Monitoring
from tests.plugins.snowmelt.hooks.conftest import Connect

VERBS = {
    Balancer: {"members", "members_of", "ensure_member", "drain", "undrain", "remove_member"},
    Monitoring: {"ensure_host", "check_now", "health", "hosts", "inventory", "remove_host"},
    Firewall: {"entries", "ensure_entry", "remove_entries"},
}


def made(kind: type[Any], verbs: set[str]) -> Any:
    return type("OurHook", (kind,), dict.fromkeys(verbs, lambda self: None))("some_id")


@pytest.mark.parametrize(
    ("kind", "verb"), [(kind, v) for kind in VERBS for v in sorted(VERBS[kind])]
)
def test_a_hook_that_lacks_a_verb_is_not_made(kind: type[Any], verb: str) -> None:
    """It would inherit an empty one: a drain of nothing, in a green run."""
    with pytest.raises(TypeError, match=f"OurHook .*{verb}"):
        made(kind, VERBS[kind] - {verb})


@pytest.mark.parametrize("kind", VERBS)
def test_a_hook_that_has_all_verbs_is_made(kind: type[Any]) -> None:
    assert made(kind, VERBS[kind]).conn_id == "some_id"


def test_a_connection_that_is_no_balancer_is_named(connect: Connect) -> None:
    with pytest.raises(Missing, match=r"'icinga2', no load balancer; known: .*haproxy"):
        balancer_for(connect("icinga2"))
