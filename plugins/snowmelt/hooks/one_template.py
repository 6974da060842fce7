"""Template text for OpenNebula, as XML.

Never `K="V"` lines: oned takes unbalanced quotes without a word, so a value could become another
attribute. Every value travels in CDATA, which is safe for quotes, `<`, `&` and line ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from snowmelt.errors import Refused

Value = str | int | float | None | Mapping[str, Any] | Sequence[Any]

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
# What XML 1.0 cannot carry at all, and the end of a CDATA section. Splitting a section in two
# would be well-formed, but oned reads only the first text node of a value.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|]]>")


def template_xml(attributes: Mapping[str, Value]) -> str:
    """Return `<TEMPLATE>…</TEMPLATE>`; a list becomes one element for each of its items.

    None becomes an empty value: that is how pyone shows one.
    """
    return f"<TEMPLATE>{_children(attributes)}</TEMPLATE>"


def _children(attributes: Mapping[str, Value]) -> str:
    return "".join(_element(name, value) for name, value in attributes.items())


def _element(name: str, value: Value) -> str:
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} is no name of an OpenNebula attribute")
    if isinstance(value, Mapping):
        return f"<{name}>{_children(value)}</{name}>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, item) for item in value)
    text = "" if value is None else str(value)
    return f"<{name}><![CDATA[{_text(name, text)}]]></{name}>"


def _text(name: str, text: str) -> str:
    if _FORBIDDEN.search(text):
        raise Refused(f"the value of {name} holds a control character or ]]>")
    return text
