"""The recordings of a real oned 7.4.0, as data: requests and answers by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.contract import wire

FOLDER = Path(__file__).parent / "recordings"


@cache
def request(name: str) -> tuple[str, list[wire.Param]]:
    """Method and parameters (the first is a session placeholder) of a recorded call."""
    return wire.decode_call((FOLDER / f"{name}.request.xml").read_bytes())


@cache
def answer(name: str) -> wire.Answer:
    """The recorded answer to it."""
    return wire.decode(200, (FOLDER / f"{name}.response.xml").read_bytes())


def text(name: str) -> str:
    """A recorded exchange that was kept as text (HTTP, OneGate), line ends as they were."""
    return (FOLDER / name).read_bytes().decode()


def names(folder: str) -> list[str]:
    """All recordings of one folder, in the order in which they were made."""
    found = sorted((FOLDER / folder).glob("*.request.xml"))
    return [f"{folder}/{path.name.removesuffix('.request.xml')}" for path in found]
