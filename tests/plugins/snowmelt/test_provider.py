"""What Airflow learns of this package, held against the code that it talks of."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pytest

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
    """A field that nobody reads would be a promise that nobody keeps."""
    form = FORMS[conn_type]
    source = inspect.getsource(inspect.getmodule(hook_of(form)) or pytest)
    read = set(re.findall(r'(?:option|number|get)\("(\w+)"', source))

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
