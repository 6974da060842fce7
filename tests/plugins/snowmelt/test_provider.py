"""What Airflow learns of this package, held against the code that it talks of."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pytest

from snowmelt import hooks
from snowmelt.hooks.balancer import _BALANCERS, Balancer
from snowmelt.hooks.connection import ConnectedHook
from snowmelt.hooks.firewall import _FIREWALLS, Firewall
from snowmelt.hooks.monitoring import _MONITORINGS, Monitoring
from snowmelt.provider import get_provider_info

FORMS: dict[str, dict[str, Any]] = {
    form["connection-type"]: form for form in get_provider_info()["connection-types"]
}
# Read by all forms' hooks through the base class, or by the links.
SHARED = {"ca_file", "cert_file", "key_file", "verify", "web"}


def hook_of(form: dict[str, Any]) -> Any:
    module, name = form["hook-class-name"].rsplit(".", 1)
    return getattr(import_module(module), name)


def test_airflow_finds_the_provider() -> None:
    """By the entry point of the installed package."""
    found = [
        each for each in entry_points(group="apache_airflow_provider") if "snowmelt" in each.value
    ]

    assert [each.load() for each in found] == [get_provider_info]


def hooks_with_a_type() -> set[type[ConnectedHook]]:
    """Return the classes that say of themselves that a Connection can be of their type."""
    names = [module.name for module in pkgutil.iter_modules(hooks.__path__)]
    there = [
        each for name in names for each in vars(import_module(f"snowmelt.hooks.{name}")).values()
    ]
    ours = {each for each in there if inspect.isclass(each) and issubclass(each, ConnectedHook)}
    return {hook for hook in ours if "conn_type" in vars(hook)}


def test_every_hook_with_a_type_has_a_form() -> None:
    """Without a line in `get_provider_info` nobody can make a Connection of its type."""
    assert hooks_with_a_type() == {hook_of(form) for form in FORMS.values()}


@pytest.mark.parametrize(
    ("contract", "table"),
    [(Balancer, _BALANCERS), (Monitoring, _MONITORINGS), (Firewall, _FIREWALLS)],
    ids=["balancers", "monitorings", "firewalls"],
)
def test_a_connection_picks_the_hook_of_its_form(
    contract: type[ConnectedHook], table: dict[str, str]
) -> None:
    """A type that is missing in the table of its kind is one that `balancer_for` does not know."""
    forms = {t: form for t, form in FORMS.items() if issubclass(hook_of(form), contract)}

    assert {conn_type: where.replace(":", ".") for conn_type, where in table.items()} == {
        conn_type: form["hook-class-name"] for conn_type, form in forms.items()
    }


@pytest.mark.parametrize("conn_type", FORMS)
def test_a_form_and_its_hook_agree(conn_type: str) -> None:
    """On type, name, and the argument that the Test button passes."""
    hook = hook_of(FORMS[conn_type])

    assert hook.conn_type == conn_type
    assert hook.hook_name == FORMS[conn_type]["hook-name"]
    assert hook.conn_name_attr in inspect.signature(hook).parameters
    assert hook("some_id").conn_id == "some_id"
    assert callable(hook.test_connection)


@pytest.mark.parametrize("conn_type", FORMS)
def test_every_field_of_a_form_is_read(conn_type: str) -> None:
    """A field that nobody reads would be a promise that nobody keeps.

    Read means: its name stands in the module of the hook or of what it is made of, as a literal.
    """
    form = FORMS[conn_type]
    ours = [each for each in hook_of(form).__mro__ if each.__module__.startswith("snowmelt.")]
    source = "".join(inspect.getsource(inspect.getmodule(each) or pytest) for each in ours)
    read = set(re.findall(r'(?:option|number|file|get)\("(\w+)"', source))

    assert set(form["conn-fields"]) <= read | SHARED


@pytest.mark.parametrize("conn_type", FORMS)
def test_a_secret_is_never_a_plain_field(conn_type: str) -> None:
    """It goes into the password, which Airflow encrypts and masks."""
    fields = " ".join(FORMS[conn_type]["conn-fields"])

    assert not re.search("secret|password|token", fields)


def test_every_link_exists() -> None:
    """Airflow loads them by these names when it shows a task."""
    for link in get_provider_info()["extra-links"]:
        module, name = link.rsplit(".", 1)
        assert hasattr(import_module(module), name), link
