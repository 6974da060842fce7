"""Template attributes as OpenNebula keeps them: a sorted multimap of texts and vectors."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

Vector = dict[str, str]
Value = str | Vector


def cdata(tag: str, value: object) -> str:
    """One leaf of a template: its value in a CDATA section."""
    return f"<{tag}><![CDATA[{value}]]></{tag}>"


def plain(tag: str, value: object) -> str:
    """One fixed field: its value entity-escaped."""
    return f"<{tag}>{escape(str(value))}</{tag}>"


def ids(tag: str, numbers: Iterable[int]) -> str:
    """A list of object ids, e.g. `<VMS><ID>1</ID></VMS>`."""
    return f"<{tag}>{''.join(plain('ID', number) for number in numbers)}</{tag}>"


def vector_xml(name: str, vector: Vector) -> str:
    """A vector with its keys in alphabetical order, as oned writes them."""
    return f"<{name}>{''.join(cdata(key, vector[key]) for key in sorted(vector))}</{name}>"


class Attrs:
    """Attributes in the order they were added; written sorted by name, equal names as added."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[tuple[str, Value]] = ()) -> None:
        self.items: list[tuple[str, Value]] = list(items)

    def __bool__(self) -> bool:
        return bool(self.items)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.items)

    def copy(self) -> Attrs:
        """A deep copy: vectors are not shared."""
        return Attrs((k, dict(v) if isinstance(v, dict) else v) for k, v in self.items)

    def names(self) -> set[str]:
        """The names that occur."""
        return {key for key, _ in self.items}

    def add(self, name: str, value: Value) -> None:
        """Add one attribute beside those of the same name."""
        self.items.append((name, value))

    def text(self, name: str, default: str = "") -> str:
        """The first plain value of that name."""
        return next((v for k, v in self.items if k == name and isinstance(v, str)), default)

    def vectors(self, name: str) -> list[Vector]:
        """All vectors of that name: the objects themselves, so changes to them stay."""
        return [v for k, v in self.items if k == name and isinstance(v, dict)]

    def vector(self, name: str) -> Vector | None:
        """The first vector of that name."""
        return next(iter(self.vectors(name)), None)

    def discard(self, *names: str) -> None:
        """Remove everything of these names."""
        self.items = [(k, v) for k, v in self.items if k not in names]

    def put(self, name: str, value: Value) -> None:
        """Replace everything of that name by one value."""
        self.discard(name)
        self.add(name, value)

    def merge(self, other: Attrs) -> None:
        """Merge at the top level: a name that occurs in `other` loses ALL its old values."""
        self.discard(*other.names())
        self.items.extend(other.copy().items)

    def inner(self) -> str:
        """The XML of all attributes, without an element around them."""
        ordered = sorted(self.items, key=lambda item: item[0])
        return "".join(
            vector_xml(name, value) if isinstance(value, dict) else cdata(name, value)
            for name, value in ordered
        )

    def xml(self, tag: str = "TEMPLATE") -> str:
        """The XML inside one element."""
        return f"<{tag}>{self.inner()}</{tag}>"
