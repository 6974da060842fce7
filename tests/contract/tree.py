"""OpenNebula documents as trees that remember which leaves were CDATA: oned mixes both, by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat


@dataclass
class Node:
    """One element: its tag, its own text, whether that text was CDATA, and its children."""

    tag: str
    text: str = ""
    cdata: bool = False
    children: list[Node] = field(default_factory=list)

    def child(self, path: str) -> Node | None:
        """First element at a path of tags, or None."""
        head, _, rest = path.partition("/")
        for child in self.children:
            if child.tag == head:
                return child.child(rest) if rest else child
        return None

    def value(self, path: str) -> str | None:
        """Text at a path of tags, or None when the element is absent."""
        found = self.child(path)
        return None if found is None else found.text

    def walk(self) -> Iterator[Node]:
        """This element and all below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse(document: str) -> Node:
    """The root of a document; expat.ExpatError when it is not well formed."""
    stack = [Node("")]
    parser = expat.ParserCreate()
    parser.StartElementHandler = _opener(stack)
    parser.EndElementHandler = lambda _tag: stack.pop()
    parser.CharacterDataHandler = lambda text: _append(stack[-1], text)
    parser.StartCdataSectionHandler = lambda: setattr(stack[-1], "cdata", True)
    parser.Parse(document.encode(), True)
    return stack[0].children[0]


def _opener(stack: list[Node]) -> Callable[[str, dict[str, str]], None]:
    def open_element(tag: str, _attributes: dict[str, str]) -> None:
        node = Node(tag)
        stack[-1].children.append(node)
        stack.append(node)

    return open_element


def _append(node: Node, text: str) -> None:
    node.text += text
