"""XML-RPC as bytes: pyone hides types and array lengths, where a front-end goes wrong first."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from tests.contract import tree

Param = str | int | bool | list[int]
INTEGER_TAGS = {"int": "i4", "i4": "i4", "i8": "i8"}  # int and i4 are one type, i8 is another


@dataclass(frozen=True)
class Value:
    """One element of an answer: its XML-RPC type and its text as sent."""

    kind: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status, then either the array's elements or a fault."""

    status: int
    items: tuple[Value, ...] = ()
    fault: tuple[int, str] | None = None

    @property
    def ok(self) -> bool:
        """True for OpenNebula's success array."""
        return bool(self.items) and self.items[0].text == "1"

    @property
    def code(self) -> int:
        """OpenNebula's error code, the fault's code, or 0."""
        if self.fault:
            return self.fault[0]
        if self.ok:
            return 0
        return int(self.items[2].text) if len(self.items) > 2 else -1

    @property
    def value(self) -> str:
        """The second element: object id, document, token or message."""
        return self.items[1].text if self.items else ""

    @property
    def number(self) -> int:
        """The second element as an object id."""
        return int(self.value)


def encode(method: str, params: list[Param]) -> bytes:
    """A methodCall document."""
    body = "".join(f"<param><value>{_encoded(param)}</value></param>" for param in params)
    return (
        f"<?xml version='1.0'?>\n<methodCall><methodName>{method}</methodName>"
        f"<params>{body}</params></methodCall>"
    ).encode()


def _encoded(param: Param) -> str:
    if isinstance(param, bool):
        return f"<boolean>{int(param)}</boolean>"
    if isinstance(param, int):
        return f"<int>{param}</int>"
    if isinstance(param, list):
        items = "".join(f"<value>{_encoded(item)}</value>" for item in param)
        return f"<array><data>{items}</data></array>"
    return f"<string>{escape(param)}</string>"


def decode_call(body: bytes) -> tuple[str, list[Param]]:
    """Method and parameters of a recorded methodCall, session included."""
    root = tree.parse(body.decode())
    params = root.child("params")
    values = [param.children[0] for param in params.children] if params else []
    return root.value("methodName") or "", [_decoded(value) for value in values]


def _decoded(value: tree.Node) -> Param:
    if not value.children:
        return value.text
    inner = value.children[0]
    if inner.tag == "array":
        return [int(node.text) for node in inner.walk() if node.tag in INTEGER_TAGS]
    if inner.tag == "boolean":
        return inner.text == "1"
    return int(inner.text) if inner.tag in INTEGER_TAGS else inner.text


def decode(status: int, body: bytes) -> Answer:
    """An Answer out of a methodResponse; expat.ExpatError when it is none."""
    if status != 200:
        return Answer(status)
    root = tree.parse(body.decode())
    fault = root.child("fault/value/struct")
    if fault is not None:
        parts = {m.value("name"): _plain(m.child("value")) for m in fault.children}
        return Answer(status, fault=(int(parts["faultCode"].text), parts["faultString"].text))
    data = root.child("params/param/value/array/data")
    return Answer(status, tuple(_plain(value) for value in data.children) if data else ())


def _plain(value: tree.Node | None) -> Value:
    if value is None:
        return Value("missing", "")
    if not value.children:
        return Value("string", value.text)
    inner = value.children[0]
    return Value(INTEGER_TAGS.get(inner.tag, inner.tag), inner.text)


def post(url: str, body: bytes, timeout: float = 30.0) -> tuple[int, bytes]:
    """One call on a connection of its own, as every client of a real oned has to."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path or "/RPC2", body, {"Content-Type": "text/xml"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
