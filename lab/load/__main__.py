"""`python -m lab.load --url http://198.18.0.80/ --out FILE`: click until SIGTERM or the limit.

With several `--url` the clients are shared out among them.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from pathlib import Path

from lab.load.clients import Habits, click_all
from lab.load.totals import Totals


async def _write_each_second(totals: Totals, file: Path) -> None:
    while True:
        await asyncio.sleep(1)
        totals.write(file, time.time(), final=False)


async def _stop_at(stop: asyncio.Event, seconds: float | None, until_file: Path | None) -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    while not stop.is_set():
        over = deadline is not None and time.monotonic() > deadline
        if over or (until_file is not None and await asyncio.to_thread(until_file.exists)):
            stop.set()
        await asyncio.sleep(0.1)


async def click(habits: Habits, out: Path, seconds: float | None, until_file: Path | None) -> None:
    """Run the clients; *out* holds running totals each second and the whole at the end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    totals = Totals(time.time())
    writing = asyncio.create_task(_write_each_second(totals, out))
    await asyncio.gather(click_all(habits, totals, stop), _stop_at(stop, seconds, until_file))
    writing.cancel()
    totals.write(out, time.time(), final=True)


def options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.load", description=__doc__)
    parser.add_argument("--url", action="append", help="of a service; may be given several times")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=120)
    parser.add_argument("--session", type=int, default=12, help="requests")
    parser.add_argument("--think", type=float, default=0.6, help="seconds")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--until-file", type=Path, help="stop as soon as it exists")
    return parser.parse_args()


def main() -> None:
    """Run with the command line's habits."""
    given = options()
    urls = tuple(given.url or ["http://198.18.0.80/"])
    habits = Habits(urls=urls, clients=given.clients, session=given.session, think=given.think)
    asyncio.run(click(habits, given.out, given.seconds, given.until_file))


if __name__ == "__main__":
    main()
