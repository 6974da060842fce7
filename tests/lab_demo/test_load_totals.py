"""The totals: percentiles, who served which release when, and the file for live display."""

from __future__ import annotations

import json
from pathlib import Path

from lab.load.totals import KEPT_FAILURES, Totals
from lab.load.wire import Answer


def served(release: str, host: str, status: int = 200) -> Answer:
    return Answer(status, None, host, release, known=True, closes=False)


def test_percentiles_are_those_of_all_answers() -> None:
    totals = Totals(0.0)
    for milliseconds in range(1, 101):
        totals.answered(5.0, milliseconds / 1000, None, served("1.0", "a"))

    assert (totals.percentile(0.5), totals.percentile(0.99)) == (50, 99)


def test_percentiles_of_nothing_are_zero() -> None:
    assert Totals(0.0).percentile(0.99) == 0


def test_each_release_has_its_first_and_last_second_and_its_hosts() -> None:
    totals = Totals(0.0)
    for at, release, host in [(1.2, "1.0", "a"), (3.9, "1.0", "b"), (3.1, "1.1", "c")]:
        totals.answered(at, 0.01, None, served(release, host))

    releases = totals.releases()

    assert (releases["1.0"]["first"], releases["1.0"]["last"]) == (1, 3)
    assert releases["1.0"]["hosts"] == {"a": 1, "b": 1}
    assert releases["1.1"]["first"] == 3


def test_failures_are_all_counted_but_only_the_first_ones_are_kept() -> None:
    totals = Totals(0.0)
    for number in range(KEPT_FAILURES + 5):
        totals.broken(float(number), TimeoutError())

    assert totals.failed == totals.requests == KEPT_FAILURES + 5
    assert len(totals.failures) == KEPT_FAILURES


def test_the_file_is_whole_at_every_moment_and_has_the_timeline_at_the_end(tmp_path: Path) -> None:
    totals, file = Totals(0.0), tmp_path / "load.json"
    totals.answered(7.5, 0.01, None, served("1.0", "a"))

    totals.write(file, 8.0, final=False)
    assert "timeline" not in json.loads(file.read_text())
    totals.write(file, 9.0, final=True)

    whole = json.loads(file.read_text())
    assert whole["timeline"] == [{"second": 7, "release": "1.0", "host": "a", "requests": 1}]
    assert list(tmp_path.iterdir()) == [file]
