"""Which release a service goes back to."""

from __future__ import annotations

import pytest

from include.last_good import KEEP, Good, last_good, remember


def good(release: str, run: str = "r") -> Good:
    return Good(release=release, at="2026-05-01T12:00:00+00:00", run=run)


def after(*releases: str) -> list[Good]:
    """Return what is known after verified rollouts to these releases."""
    known: list[Good] = []
    for release in releases:
        known = remember(known, good(release))
    return known


def releases(known: list[Good]) -> list[str]:
    return [each.release for each in known]


def test_the_newest_stands_first() -> None:
    assert releases(after("1.0", "1.1")) == ["1.1", "1.0"]


def test_a_rotation_adds_nothing_but_its_run() -> None:
    known = remember(after("1.0", "1.1"), good("1.1", run="tonight"))

    assert releases(known) == ["1.1", "1.0"]
    assert known[0].run == "tonight"


def test_going_back_twice_does_not_come_forward_again() -> None:
    known = after("0.9", "1.0", "1.1", "1.0")

    assert releases(known) == ["1.0", "0.9"]
    assert last_good(known, {"1.0"}).release == "0.9"


def test_a_year_of_releases_is_not_kept() -> None:
    known = after(*(f"1.{n}" for n in range(365)))

    assert len(known) == KEEP
    assert known[0].release == "1.364"


@pytest.mark.parametrize(
    ("serving", "target"),
    [({"1.1"}, "1.0"), ({"1.2"}, "1.1"), ({"1.1", "1.2"}, "1.1"), (set(), "1.1")],
    ids=["all is well", "a bad one serves", "a mix serves", "nothing serves"],
)
def test_the_way_back_depends_on_what_serves(serving: set[str], target: str) -> None:
    assert last_good(after("1.0", "1.1"), serving).release == target


@pytest.mark.parametrize("known", [[], after("1.0")], ids=["never verified", "the first release"])
def test_there_may_be_no_way_back(known: list[Good]) -> None:
    with pytest.raises(ValueError, match="no release to go back to"):
        last_good(known, {"1.0"})
