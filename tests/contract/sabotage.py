"""Answers as a wrong front-end would give them, to see whether scenarios notice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.contract.transport import Replay
from tests.contract.wire import Answer, Param, Value


class Sabotaged(Replay):
    """Replays, but answers one recording wrongly."""

    def __init__(self, target: str, wrong: Callable[[Answer], Answer]) -> None:
        super().__init__()
        self._target, self._wrong = target, wrong

    def send(self, recording: str, method: str, params: list[Param], exact: bool) -> Answer:
        """The recorded answer, or the wrong one."""
        answer = super().send(recording, method, params, exact)
        return self._wrong(answer) if recording == self._target else answer


def turned(answer: Answer) -> Answer:
    """A success as an internal error, an error or a fault as a success."""
    if answer.ok:
        failure = (Value("boolean", "0"), Value("string", "[one] no"), Value("i4", "8192"))
        return Answer(200, (*failure, Value("i4", "-1"), Value("i8", "-1")))
    return Answer(200, (Value("boolean", "1"), Value("i4", "0"), Value("i4", "0")))


def shortened(answer: Answer) -> Answer:
    """A document whose objects lack their state, or their name."""
    for pattern in (r"<STATE>.*?</STATE>", r"<NAME>.*?</NAME>"):
        text, count = re.subn(pattern, "", answer.value)
        if count:
            return replace(answer, items=(answer.items[0], Value("string", text), answer.items[2]))
    return answer
