"""SCHED_REQUIREMENTS: comparisons of host attributes, with &, |, ! and parentheses."""

import fnmatch
import re
from collections.abc import Callable, Mapping

_TOKEN = re.compile(r'\s*(\(|\)|&&?|\|\|?|!=|!|<=|>=|=|<|>|@>|"[^"]*"|[^\s()&|!=<>]+)')
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def meets(expression: str, host: Mapping[str, str]) -> bool:
    """Does the host fit? An empty expression fits every host; nonsense fits none."""
    if not expression.strip():
        return True
    try:
        return _Parser(_TOKEN.findall(expression), host).whole()
    except (IndexError, ValueError):
        return False


class _Parser:
    def __init__(self, tokens: list[str], host: Mapping[str, str]) -> None:
        self.tokens, self.host, self.at = tokens, host, 0

    def whole(self) -> bool:
        result = self.either()
        if self.at != len(self.tokens):
            raise ValueError(self.tokens[self.at])
        return result

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def either(self) -> bool:
        result = self.both()
        while self._peek() in ("|", "||"):
            self._take()
            result = self.both() or result
        return result

    def both(self) -> bool:
        result = self.one()
        while self._peek() in ("&", "&&"):
            self._take()
            result = self.one() and result
        return result

    def one(self) -> bool:
        word = self._take()
        if word == "!":
            return not self.one()
        if word == "(":
            result = self.either()
            self._take()
            return result
        return self._compare(word, self._take(), self._take().strip('"'))

    def _compare(self, name: str, operator: str, wanted: str) -> bool:
        has = self.host.get(name.strip('"').upper(), "")
        if operator in ("=", "!="):
            return fnmatch.fnmatchcase(has, wanted) == (operator == "=")
        return _COMPARE[operator](float(has or "nan"), float(wanted))
