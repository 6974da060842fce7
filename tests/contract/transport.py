"""Where a scenario's calls go: to an endpoint, or to the recordings themselves."""

from __future__ import annotations

from typing import Protocol

from tests.contract import calls, recorded, wire
from tests.contract.wire import Answer, Param


class Transport(Protocol):
    """Sends one call; `recording` names the exchange that it repeats."""

    live: bool

    def send(self, recording: str, method: str, params: list[Param], exact: bool) -> Answer:
        """The answer to a call whose first parameter is the session.

        exact: the call repeats the recorded one, else it only resembles it.
        """


class Wire:
    """A real endpoint."""

    live = True

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, recording: str, method: str, params: list[Param], exact: bool) -> Answer:
        """Ask the endpoint."""
        return wire.decode(*wire.post(self._url, wire.encode(method, params)))


def _as_recorded(param: Param) -> Param:
    """Ids that exist nowhere are larger on the wire than they were when recorded."""
    for recorded_id, missing in calls.MISSING.items():
        if isinstance(param, str):
            param = param.replace(str(missing), str(recorded_id))
        elif param == missing:
            param = recorded_id
    return param


class Replay:
    """The oned that was recorded: answers from its recordings, and keeps a list of what was asked.

    A scenario that passes here sends what was sent then, in an order in which each object exists
    before it is used, and accepts what the recorded oned answered.
    """

    live = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def send(self, recording: str, method: str, params: list[Param], exact: bool) -> Answer:
        """Answer from the recording, and refuse a call that is not the recorded one."""
        recorded_method, recorded_params = recorded.request(recording)
        assert method == recorded_method, f"{recording} is {recorded_method}, not {method}"
        if exact:
            sent = [_as_recorded(param) for param in params[1:]]
            assert sent == recorded_params[1:], f"{recording}: sends {sent}"
        self.asked.append((recording, method))
        return recorded.answer(recording)
