"""XML-RPC bodies, byte for byte as xmlrpc-c writes them: CRLF line ends, `i4` and `i8`."""

from collections.abc import Callable
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from lab.opennebula.errors import Fault, OneError
from lab.opennebula.xmlin import XmlError, read_xml

NOT_XML = "Call XML not a proper XML-RPC call.  Call is not valid XML.  syntax error"
NOT_CALL = "Call XML not a proper XML-RPC call.  "


class Escaped(str):
    """An XML document that is escaped already: pools are joined from cached pieces."""

    __slots__ = ()


Answer = int | str | bool


def decode_call(body: bytes) -> tuple[str, list[object]]:
    """(method, parameters). Raises Fault -503."""
    try:
        root = read_xml(body)
    except XmlError as error:
        raise Fault(-503, NOT_XML) from error
    name = root.findtext("methodName")
    if root.tag != "methodCall" or name is None:
        raise Fault(-503, f"{NOT_CALL}XML element should be <methodCall>")
    return name.strip(), [_value(v) for v in root.findall("./params/param/value")]


def _value(element: Element) -> object:
    if len(element) == 0:
        return element.text or ""
    typed = element[0]
    reader = _READERS.get(typed.tag)
    if reader is None:
        raise Fault(-503, f"{NOT_CALL}Unknown value type: <{typed.tag}>")
    try:
        return reader(typed)
    except ValueError as error:
        raise Fault(-503, f"{NOT_CALL}Bad <{typed.tag}>: {error}") from error


def _struct(element: Element) -> dict[str, object]:
    members = element.findall("member")
    return {m.findtext("name", ""): _value(v) for m in members for v in m.findall("value")}


_READERS: dict[str, Callable[[Element], object]] = {
    "int": lambda e: int(e.text or ""),
    "i4": lambda e: int(e.text or ""),
    "i8": lambda e: int(e.text or ""),
    "boolean": lambda e: (e.text or "").strip() == "1",
    "string": lambda e: e.text or "",
    "double": lambda e: float(e.text or ""),
    "array": lambda e: [_value(v) for v in e.findall("./data/value")],
    "struct": _struct,
    "nil": lambda _: None,
}


def _typed(value: Answer) -> str:
    if isinstance(value, bool):
        return f"<value><boolean>{int(value)}</boolean></value>"
    if isinstance(value, int):
        return f"<value><i4>{value}</i4></value>"
    text = value if isinstance(value, Escaped) else escape(value)
    return f"<value><string>{text}</string></value>"


def _response(*lines: str) -> bytes:
    whole = ('<?xml version="1.0" encoding="UTF-8"?>', "<methodResponse>", *lines)
    return "\r\n".join((*whole, "</methodResponse>", "")).encode()


def _array(*values: str) -> bytes:
    head, tail = "<param><value><array><data>", "</data></array></value></param>"
    return _response("<params>", head, *values, tail, "</params>")


def success(value: Answer) -> bytes:
    """`[true, value, 0]`."""
    return _array(_typed(True), _typed(value), _typed(0))


def failure(method: str, error: OneError) -> bytes:
    """`[false, "[method] text", code, oid, -1]`: five elements, the last one an i8."""
    text = f"[{method}] {error.text}"
    last = "<value><i8>-1</i8></value>"
    return _array(_typed(False), _typed(text), _typed(error.code), _typed(error.oid), last)


def fault(error: Fault) -> bytes:
    """An XML-RPC fault."""
    return _response(
        "<fault>",
        "<value><struct>",
        "<member><name>faultCode</name>",
        f"<value><i4>{error.code}</i4></value></member>",
        "<member><name>faultString</name>",
        f"<value><string>{escape(error.text)}</string></value></member>",
        "</struct></value>",
        "</fault>",
    )
