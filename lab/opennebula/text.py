"""The parser of template text (`K="V"`, `K=[A="B", ...]`) and of its XML form."""

import re
import secrets
from xml.etree.ElementTree import Element

from lab.opennebula.attrs import Attrs, Value, Vector
from lab.opennebula.errors import ParseError
from lab.opennebula.xmlin import XmlError, read_xml

_BLANK = re.compile(r"(?:^[ \t]*#[^\n]*\n?|\s)+", re.MULTILINE)
_VARIABLE = re.compile(r"[A-Za-z0-9_.]+")
_EQUAL = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_REST = re.compile(r"[^\n]*")
_BARE = re.compile(r"[^,\]\n]+")


def parse(text: str) -> Attrs:
    """Parse either form. Raises ParseError with oned's own words."""
    if text.lstrip().startswith("<"):
        return _parse_xml(text)
    return _Text(text).attributes()


def _parse_xml(text: str) -> Attrs:
    try:
        root = read_xml(text)
    except XmlError as error:
        raise ParseError(f"XML Error: {error}") from error
    return Attrs((child.tag.upper(), _xml_value(child)) for child in root)


def _xml_value(element: Element) -> Value:
    if len(element):
        return {child.tag.upper(): child.text or "" for child in element}
    return element.text or ""


class _Text:
    """A cursor over template text, with the oddities of oned's lexer."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def attributes(self) -> Attrs:
        found = Attrs()
        while (name := self._variable()) is not None:
            found.add(name, self._value(name))
        return found

    def _fail(self, unexpected: str, expecting: str) -> ParseError:
        # oned prints an uninitialised line number: a client must not compare these messages whole
        line = secrets.randbelow(2**31)
        where = f"line {line}, columns {self.at + 1}:{self.at + 2}"
        return ParseError(
            f"Parse error: syntax error, unexpected {unexpected}, expecting {expecting} at {where}"
        )

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def _variable(self) -> str | None:
        """The next name; marks that belong to nothing (a lonely quote) are passed over."""
        while self.at < len(self.text):
            self._take(_BLANK)
            if match := self._take(_VARIABLE):
                return match.group().upper()
            self.at += 1
        return None

    def _equal(self) -> None:
        if self._take(_EQUAL):
            return
        found = self._variable()
        raise self._fail("$end" if found is None else "VARIABLE", "EQUAL or EQUAL_EMPTY")

    def _value(self, name: str) -> Value:
        self._equal()
        if self.at >= len(self.text):
            raise self._fail("$end", "OBRACKET or CCDATA or STRING")
        if self.text[self.at] == "[":
            self.at += 1
            return self._vector()
        return self._string(_REST)

    def _string(self, bare: re.Pattern[str]) -> str:
        if quoted := self._take(_QUOTED):
            return _ESCAPE.sub(r"\1", quoted.group(1))
        if self.text.startswith("<![CDATA[", self.at):
            start, end = self.at + 9, self.text.find("]]>", self.at)
            self.at = end + 3 if end >= 0 else len(self.text)
            return self.text[start : end if end >= 0 else len(self.text)]
        # an unbalanced quote is accepted: the rest of the line, quote included, is the value
        match = self._take(bare)
        return match.group().strip() if match else ""

    def _vector(self) -> Vector:
        vector: Vector = {}
        while True:
            self._take(_BLANK)
            if self.at >= len(self.text):
                raise self._fail("$end", "CBRACKET or VARIABLE")
            if self.text[self.at] in ",]":
                self.at += 1
                if self.text[self.at - 1] == "]":
                    return vector
                continue
            self._pair(vector)

    def _pair(self, vector: Vector) -> None:
        match = self._take(_VARIABLE)
        if match is None:
            raise self._fail("STRING", "CBRACKET or VARIABLE")
        self._equal()
        if self.at >= len(self.text):
            raise self._fail("$end", "STRING")
        vector[match.group().upper()] = self._string(_BARE)
