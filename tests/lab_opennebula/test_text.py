"""Template text, with the oddities that were recorded."""

import pytest

from lab.opennebula.attrs import Attrs
from lab.opennebula.errors import ParseError
from lab.opennebula.text import parse


def test_plain_values_and_vectors() -> None:
    """Values keep quotes that are escaped, names become upper case."""
    found = parse('name="a \\"b\\" c"\nNIC=[ NETWORK="n", IP = "10.0.0.1" ]\n # X="1"\n')

    assert found.text("NAME") == 'a "b" c'
    assert found.vectors("NIC") == [{"NETWORK": "n", "IP": "10.0.0.1"}]
    assert "X" not in found


def test_value_over_two_lines() -> None:
    """A quoted value may hold a line break, as start scripts do."""
    assert parse('S="#!/bin/sh\necho hi"').text("S") == "#!/bin/sh\necho hi"


def test_unbalanced_quote_is_part_of_the_value() -> None:
    """oned accepts it: the rest of the line is the value, quote included."""
    assert parse('FOO="x').text("FOO") == '"x'


def test_xml_form() -> None:
    """XML is taken everywhere; elements with children are vectors."""
    found = parse('<TEMPLATE><A>x &amp; "y"</A><NIC><IP>1</IP></NIC></TEMPLATE>')

    assert found.text("A") == 'x & "y"'
    assert found.vector("NIC") == {"IP": "1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('NAME="bad\nCPU=', "unexpected $end, expecting OBRACKET or CCDATA or STRING"),
        ('NAME="bad\nAR=[', "unexpected $end, expecting CBRACKET or VARIABLE"),
        ("A=[B=", "unexpected $end, expecting STRING"),
        ('QUOTE="a "b" c"', "unexpected VARIABLE, expecting EQUAL or EQUAL_EMPTY"),
    ],
)
def test_what_the_parser_refuses(text: str, words: str) -> None:
    """The recorded messages; the line in them is random."""
    with pytest.raises(ParseError, match="Parse error: syntax error, ") as caught:
        parse(text)

    assert words in str(caught.value)


def test_merge_replaces_all_of_a_name() -> None:
    """A NIC in the extra template replaces all NICs."""
    base = Attrs([("NIC", {"A": "1"}), ("NIC", {"A": "2"}), ("X", "1")])

    base.merge(Attrs([("NIC", {"B": "3"})]))

    assert base.xml("T") == "<T><NIC><B><![CDATA[3]]></B></NIC><X><![CDATA[1]]></X></T>"
