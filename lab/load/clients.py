"""The clients: each clicks through one session after the other over a kept connection."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from lab.load.totals import Totals
from lab.load.wire import Answer, ClosedIdleError, Connection

GOLDEN = 0.618034  # spreads think times and session lengths evenly, and the same in every run


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """How the clients behave. Times in seconds."""

    urls: tuple[str, ...]  # the clients are shared out among them; each keeps to its own
    clients: int = 40
    session: int = 20  # requests, ± half of it
    think: float = 0.2  # between two requests, ± half of it
    patience: float = 15.0


def around(value: float, number: int) -> float:
    """Return *value* ± half of it, another one for each *number*."""
    return value * (0.5 + number * GOLDEN % 1)


class Client:
    """One of them."""

    def __init__(self, number: int, habits: Habits, totals: Totals) -> None:
        self.number = number
        self.habits = habits
        self.totals = totals
        self.url = habits.urls[number % len(habits.urls)]
        self.connection = Connection(self.url)

    async def click(self, stop: asyncio.Event) -> None:
        """Go through sessions until *stop*; a request under way is answered first."""
        step = self.number
        while not stop.is_set():
            await self._session(step, stop)
            step += 7  # no common factor with the clients: neighbours do not stay in step
        self.connection.close()

    async def _session(self, step: int, stop: asyncio.Event) -> None:
        self.totals.sessions += 1
        cookie: str | None = None
        for number in range(max(2, round(around(self.habits.session, step)))):
            if stop.is_set():
                return
            cookie = await self._request(cookie)
            await self._rest(around(self.habits.think, step + number), stop)

    async def _request(self, cookie: str | None) -> str | None:
        started = time.monotonic()
        try:
            answer = await asyncio.wait_for(self._ask(cookie), self.habits.patience)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.connection.close()
            self.totals.broken(time.time(), error, self.url)
            return cookie
        took = time.monotonic() - started
        self.totals.answered(time.time(), took, cookie, answer, self.url)
        return answer.cookie or cookie

    async def _ask(self, cookie: str | None) -> Answer:
        try:
            return await self.connection.ask(cookie)
        except ClosedIdleError:
            self.connection.close()
            self.totals.reconnects += 1
            return await self.connection.ask(cookie)

    async def _rest(self, seconds: float, stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return


async def click_all(habits: Habits, totals: Totals, stop: asyncio.Event) -> None:
    """Let all clients click until *stop*."""
    clients = [Client(number, habits, totals) for number in range(habits.clients)]
    await asyncio.gather(*(client.click(stop) for client in clients))
