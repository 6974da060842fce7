"""What the table of the year says."""

from __future__ import annotations

from lab.year.report import grew, grown_most, grown_tables, growth, table

FIRST = {"CA": {"certificates": 900, "inventory": 100}, "DNS": {"journal": 0}}


def test_a_system_is_judged_by_all_that_it_keeps() -> None:
    """A part that tripled does not matter where it is a small one; the table shows it."""
    found = growth(FIRST, {"CA": {"certificates": 890, "inventory": 300}, "DNS": {"journal": 0}})

    assert found["CA"]["ratio"] == 1.19
    assert found["CA"]["parts"]["inventory"]["ratio"] == 3
    assert grew(found) == []


def test_a_system_that_grew_is_named() -> None:
    """By more than a fifth."""
    found = growth(FIRST, {"CA": {"certificates": 900, "inventory": 310}, "DNS": {"journal": 0}})

    assert grew(found) == ["CA"]


def test_what_came_out_of_nothing_has_no_ratio_and_grew() -> None:
    """Division by zero hides nothing."""
    found = growth(FIRST, {**FIRST, "DNS": {"journal": 5}})

    assert found["DNS"]["ratio"] is None
    assert grew(found) == ["DNS"]
    assert "new" in table(found, 30, 365)


def test_the_tables_that_grew_are_told_the_worst_first() -> None:
    """One that shrank or stayed is not; one that was not there grew out of nothing."""
    first = {"reports": 9_000, "certnames": 9_000, "factsets": 9_000}
    last = {"reports": 9_500, "certnames": 30_000, "factsets": 8_000, "new": 700}

    found = grown_most(first, last)

    assert list(found.items()) == [
        ("certnames", (9_000, 30_000)),
        ("new", (0, 700)),
        ("reports", (9_000, 9_500)),
    ]
    assert "certnames 9000 B → 30 kB" in grown_tables(found)
    assert grown_tables({}).endswith("none")


def test_the_table_says_how_time_was_treated() -> None:
    """And names both days; a system with one part has one line."""
    sizes = {"PuppetDB": {"database": 12_000_000, "queue": 20_000}, "DNS (Knot)": {"zones": 800}}

    lines = table(growth(sizes, sizes), 30, 365).splitlines()

    assert lines[0].split() == ["day", "30", "day", "365", "ratio", "time"]
    assert lines[1].startswith("PuppetDB")
    assert "clock shifted" in lines[1]
    assert "12.0 MB" in lines[1]
    assert [line.split()[0] for line in lines[2:]] == ["database", "queue", "DNS"]
