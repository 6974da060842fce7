"""`python -m lab.load --url http://198.18.0.80/ --out FILE`: click until SIGTERM or the limit.

With several `--url` the clients are shared out among them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path

from lab.load.clients import Habits, click_all
from lab.load.totals import Totals


async def _write_each_second(totals: Totals, file: Path) -> None:
    while True:
        await asyncio.sleep(1)
        totals.write(file, time.time(), final=False)


async def _stop_at(stop: asyncio.Event, given: argparse.Namespace) -> None:
    deadline = None if given.seconds is None else time.monotonic() + given.seconds
    parent, file = os.getppid(), given.until_file
    while not stop.is_set():
        over = deadline is not None and time.monotonic() > deadline
        alone = given.with_parent and os.getppid() != parent
        if over or alone or (file is not None and await asyncio.to_thread(file.exists)):
            stop.set()
        await asyncio.sleep(0.1)


async def click(habits: Habits, given: argparse.Namespace) -> None:
    """Run the clients; `--out` holds running totals each second and the whole at the end."""
    stop, out = asyncio.Event(), given.out
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    totals = Totals(time.time())
    writing = asyncio.create_task(_write_each_second(totals, out))
    await asyncio.gather(click_all(habits, totals, stop), _stop_at(stop, given))
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
    parser.add_argument("--with-parent", action="store_true", help="stop when who started it ends")
    return parser.parse_args()


def main() -> None:
    """Run with the command line's habits."""
    given = options()
    urls = tuple(given.url or ["http://198.18.0.80/"])
    habits = Habits(urls=urls, clients=given.clients, session=given.session, think=given.think)
    asyncio.run(click(habits, given))


if __name__ == "__main__":
    main()
