"""Template text: what a value holds never becomes an attribute of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import Refused
from snowmelt.hooks.one_template import template_xml

printable = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="￾￿"))


@given(printable.filter(lambda text: "]]>" not in text))
def test_any_value_arrives_as_it_is(text: str) -> None:
    """Quotes, brackets, ampersands and all."""
    parsed = ET.XML(template_xml({"CONTEXT": {"KEY": text}}))

    assert parsed.findtext("CONTEXT/KEY") == text


def test_a_list_becomes_one_element_each() -> None:
    """Two networks are two NIC vectors."""
    text = template_xml({"NIC": [{"NETWORK_ID": 1}, {"NETWORK_ID": 2}]})

    assert [nic.findtext("NETWORK_ID") for nic in ET.XML(text)] == ["1", "2"]


def test_an_empty_value_is_written_as_one() -> None:
    """pyone shows it as None."""
    parsed = ET.XML(template_xml({"CONTEXT": {"PASSWORD": None}, "SIZE": ""}))

    assert (parsed.findtext("CONTEXT/PASSWORD"), parsed.findtext("SIZE")) == ("", "")


@pytest.mark.parametrize("value", ["a]]>b", "bell\x07", "nul\x00"])
def test_what_xml_cannot_carry_is_refused(value: str) -> None:
    """The message names the attribute and not the value, which may be a secret."""
    with pytest.raises(Refused, match="KEY") as raised:
        template_xml({"KEY": value})
    assert value not in str(raised.value)


def test_a_name_that_is_no_attribute_name_is_refused() -> None:
    """It would close the element."""
    with pytest.raises(Refused):
        template_xml({"A><B": "x"})
