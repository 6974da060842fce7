"""No trigger may block the loop: all triggers of a process share it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

# asyncio's debug mode tells of 0.1 s and more; a busy machine takes that long by itself
_ALLOWED_S = 0.5
_TOOK = re.compile(r"Executing (?!.*coro=<test_).*took ([0-9.]+) seconds", re.DOTALL)


def blocked(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what asyncio says of callbacks that held the loop, those of the tests left out."""
    told = [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"]
    return [text for text in told if (m := _TOOK.search(text)) and float(m[1]) >= _ALLOWED_S]


@pytest.fixture(autouse=True)
def never_blocks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test when a callback held the event loop."""
    yield
    assert not blocked(caplog)
