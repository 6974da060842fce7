"""The days, one after the other."""

from __future__ import annotations

import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from lab.settings import Places
from lab.year.cloud import Cloud, cloud
from lab.year.housekeeping import Housekeeping
from lab.year.product import Product
from lab.year.report import grown_most, growth
from lab.year.sizes import Sizes, relations, rows, sizes

Say = Callable[[str], None]
_EVERY = 10  # days between two measurements


def live(places: Places, given: Namespace, say: Say) -> dict[str, Any]:
    """Live through all days; returns what the report says."""
    began = time.monotonic()
    with cloud(places) as found, Product(found, given.names) as product:
        year = Year(found, product, given, say)
        for day in range(given.days + 1):  # day 0 brings the fleet up
            year.pass_day(day)
            if given.minutes and time.monotonic() - began > 60 * given.minutes:
                break
        last = year.finish()
        return {
            "days_asked": given.days,
            "names": given.names,
            "tended": not given.untended,
            "took_s": round(time.monotonic() - began),
            "first_day": year.first,
            "last_day": last,
            "systems": growth(year.sizes[year.first], year.sizes[last]),
            "done": dict(year.done),
            "faults": year.faults,
            "sizes": year.sizes,
            "rows": rows(places),
            "tables": grown_most(year.tables[year.first], year.tables[last]),
        }


class Year:
    """What has happened so far."""

    def __init__(self, cloud: Cloud, product: Product, given: Namespace, say: Say) -> None:
        self.cloud, self.product, self.given, self.say = cloud, product, given, say
        self.housekeeping = Housekeeping(cloud, given.lists_every)
        self.first = given.first
        self.sizes: dict[int, Sizes] = {}
        self.tables: dict[int, Mapping[str, int]] = {}
        self.planned: dict[str, int] = {}
        self.day = 0
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []

    def pass_day(self, day: int) -> None:
        """Let the product do its rounds, move the clocks, do the housekeeping, and measure."""
        began, self.day = time.time(), day
        self.cloud.clock.wait()
        told = self.product.live(day)
        self.cloud.clock.to(day + 1)  # the programs see it while this day ends
        if not self.given.untended:
            self.housekeeping.at(day, began)
        self.done.update(told["done"])
        self.faults += [f"day {day}: {fault}" for fault in told["faults"]]
        self.planned = told["planner"]
        self.say(f"day {day:>3}  {time.time() - began:5.1f} s  {_seconds(told['seconds'])}")
        if day == self.first:
            self._settle()
        if day == self.first or day % _EVERY == 0:
            self._measure(day)

    def finish(self) -> int:
        """Measure the last day, and return which it was."""
        self._settle()
        self._measure(self.day)
        if self.day <= self.first:  # it ended before there was a later day to compare
            self.first = min(self.sizes)
        return self.day

    def _settle(self) -> None:
        """Icinga writes its state down every five minutes, and when it ends."""
        self.cloud.stop("icinga")
        self.cloud.start("icinga")

    def _measure(self, day: int) -> None:
        self.sizes[day] = sizes(self.cloud.places) | {"planner": self.planned}
        self.tables[day] = relations(self.cloud.places)
        self.say(f"day {day}: {self.sizes[day]}")


def _seconds(told: dict[str, float]) -> str:
    return ", ".join(f"{system} {taken:.1f}" for system, taken in told.items())
