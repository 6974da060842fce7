"""The one place that reads XML which somebody else wrote."""

import xml.etree.ElementTree as ET

XmlError = ET.ParseError


def read_xml(text: str | bytes) -> ET.Element:
    """The root element. Raises XmlError."""
    return ET.fromstring(text)  # noqa: S314 - only the lab's clients; expat limits entity expansion
