"""Whose turn it is."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.catalogue import Service
from include.catalogue.fleet import Fleet
from include.fleet import RotationPlan, as_markdown, left_out, plan_turns
from include.fleet.turns import run_id
from tests.plugins.snowmelt.kit import service

BEGAN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


def plan(
    *services: Service,
    fleet: Fleet | None = None,
    in_use: dict[str, int] | None = None,
    **given: Any,
) -> RotationPlan:
    known = {each.name: each for each in services}
    return plan_turns(
        fleet or Fleet(),
        known,
        day=date(2026, 11, 24),
        began=BEGAN,
        in_use=dict.fromkeys(known, 2) if in_use is None else in_use,
        **{"spread": False, **given},
    )


def test_each_service_has_one_turn_by_a_name_that_is_the_same_at_every_try() -> None:
    shop, wiki = service(), service(name="wiki")

    names = [turn.run_id for turn in plan(shop, wiki).turns]

    assert names == ["rotation__2026-11-24__shop", "rotation__2026-11-24__wiki"]
    assert names == [turn.run_id for turn in plan(wiki, shop).turns]


def test_each_attempt_of_a_day_is_a_run_of_its_own() -> None:
    """They can be found by asking for one after the other."""
    names = [run_id("2026-11-24", "shop", attempt) for attempt in (1, 2, 3)]

    assert names == [f"rotation__2026-11-24__shop{end}" for end in ("", "__2", "__3")]


def test_a_run_for_some_services_knows_the_turns_of_the_others() -> None:
    """Only the first are started, and count for a failure budget that is a share."""
    fleet = Fleet.model_validate({"budgets": {"failures": "50%"}})
    names = ("a", "b", "c", "d")
    whole = plan(*(service(name=name) for name in names), fleet=fleet)
    found = whole.only(["b"], fleet)

    assert [turn.service for turn in found.turns] == ["b"]
    assert [turn.service for turn in found.others] == ["a", "c", "d"]
    assert (whole.failures, found.failures) == (2, 1)
    assert whole.only([], fleet) == whole
    assert RotationPlan.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_service_that_was_retired_is_not_brought_back() -> None:
    found = plan(service(), in_use={})

    assert found.turns == ()
    assert [(left.service, left.kind) for left in found.left] == [("shop", "empty")]


@pytest.mark.parametrize(
    ("replicas", "in_use", "surge", "vms", "slots"),
    [(2, 2, None, 2, 2), (2, 4, None, 4, 4), (4, 1, None, 4, 4), (4, 4, 5, 4, 4)],
)
def test_what_is_made_beside_the_old_vms_counts_for_the_budgets(
    replicas: int, in_use: int, surge: int | None, vms: int, slots: int
) -> None:
    (turn,) = plan(service(replicas=replicas, surge=surge), in_use={"shop": in_use}).turns

    assert (turn.vms, turn.slots) == (vms, slots)


@pytest.mark.parametrize(("surge", "missing", "vms"), [(None, 1, 1), (0, 3, 3), (2, 1, 2)])
def test_a_service_that_rolls_counts_as_many_as_it_replaces_at_a_time(
    surge: int | None, missing: int, vms: int
) -> None:
    """With its 30 VMs it would be over the budgets, go alone and hold back all after it."""
    rolling = service(replicas=30, strategy="rolling", surge=surge, max_unavailable=missing)

    (turn,) = plan(rolling, in_use={"shop": 30}).turns

    assert (turn.vms, turn.slots) == (vms, 30)


def exception(expires: str) -> Fleet:
    told = {"service": "shop", "reason": "closing", "owner": "finance", "expires": expires}
    return Fleet.model_validate({"exceptions": [told]})


def test_an_exception_holds_until_the_day_it_expires() -> None:
    out = plan(service(), fleet=exception("2026-11-25"))
    over = plan(service(), fleet=exception("2026-11-24"))

    assert out.turns == ()
    assert [(e.kind, e.reason, e.owner, e.until) for e in out.left] == [
        ("exception", "closing", "finance", "2026-11-25")
    ]
    assert [turn.service for turn in over.turns] == ["shop"]
    assert over.left == ()


def test_an_exception_of_a_service_that_is_not_there_holds_for_nobody() -> None:
    assert plan(service(name="wiki"), fleet=exception("2026-11-25")).left == ()


def test_a_blackout_is_an_exception_by_the_owner_of_the_service() -> None:
    dark = {"begins": "2026-11-23", "ends": "2026-11-27 12:00", "reason": "sale"}
    found = plan(service(maintenance={"blackouts": [dark]}))

    assert found.turns == ()
    (left,) = found.left
    assert (left.kind, left.reason, left.owner) == ("blackout", "sale", "web team")
    assert left.until == "2026-11-28"


EVENING = {"begins": "18:00", "ends": "20:00"}


def test_a_blackout_over_the_window_is_an_exception_also_when_it_begins_later() -> None:
    """Or its VMs would be too old, and nobody would say why they may be."""
    early = {"begins": "2026-11-24 12:00", "ends": "2026-11-24 19:00", "reason": "early"}
    late = {"begins": "2026-11-24 18:30", "ends": "2026-11-24 23:00", "reason": "late"}
    found = plan(service(maintenance={"windows": [EVENING], "blackouts": [late, early]}))

    assert found.turns == ()
    (left,) = found.left
    assert (left.kind, left.reason, left.until) == ("blackout", "late", "2026-11-25")


def test_a_blackout_that_ends_before_the_window_leaves_the_turn() -> None:
    """It holds while it lasts, not for the day."""
    dark = {"begins": "2026-11-24 00:00", "ends": "2026-11-24 06:00", "reason": "sale"}
    found = plan(service(maintenance={"windows": [EVENING], "blackouts": [dark]}))

    (turn,) = found.turns
    assert datetime.fromtimestamp(turn.open[0][0], UTC).hour == 18
    assert found.left == ()


@pytest.mark.parametrize(("began", "turns"), [(1, ["shop"]), (15, []), (23, [])])
def test_a_run_does_not_wait_for_a_window_that_opens_after_the_next_one_starts(
    began: int, turns: list[str]
) -> None:
    """It would keep the whole fleet's next rotation waiting."""
    window = {"begins": "12:00", "ends": "14:00"}
    found = plan_turns(
        Fleet(),
        {"shop": service(maintenance={"windows": [window]}), "wiki": service(name="wiki")},
        day=date(2026, 11, 24),
        began=BEGAN.replace(hour=began),
        in_use={"shop": 2, "wiki": 2},
        spread=True,
    )

    assert [turn.service for turn in found.turns if turn.service == "shop"] == turns
    assert "wiki" in [turn.service for turn in found.turns]


def test_a_service_whose_window_does_not_open_today_is_told() -> None:
    window = {"begins": "22:00", "ends": "23:00", "days": ["sun"]}
    found = plan(service(maintenance={"windows": [window]}))

    assert found.turns == ()
    assert [left.kind for left in found.left] == ["closed"]


def test_turns_come_in_the_order_of_their_minutes() -> None:
    many = [service(name=f"s{n}") for n in range(20)]
    opens = [turn.open[0][0] for turn in plan(*many, spread=True).turns]

    assert opens == sorted(opens)
    assert opens[0] < opens[-1] < BEGAN.timestamp() + timedelta(hours=2).total_seconds()


def test_a_plan_travels_as_json() -> None:
    found = plan(service(), service(name="wiki"), in_use={"shop": 2})

    assert RotationPlan.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_plan_is_written_for_people() -> None:
    text = as_markdown(plan(service(), service(name="wiki"), in_use={"shop": 2}))

    assert "### Rotation of 2026-11-24: 1 services, 2 VMs" in text
    assert "| 24 01:00 | shop | 2 | rotation__2026-11-24__shop |" in text
    assert "- not today: wiki (empty): it has no VM [web team]" in text


def test_what_a_run_was_asked_for_is_written_too() -> None:
    asked = plan(service(), in_use={"shop": 2}).limited(failures=1, at_once=2)

    assert "No service starts after 1 have failed" in as_markdown(asked)
    assert "At most 2 at once." in as_markdown(asked)


LATER = BEGAN + timedelta(hours=17)


def test_a_service_that_nothing_was_changed_about_has_its_turn() -> None:
    assert left_out(Fleet(), service(), LATER, in_use=2) is None


def excepted(expires: str) -> dict[str, Any]:
    entry = {"service": "shop", "reason": "closing", "owner": "o", "expires": expires}
    return {"exceptions": [entry]}


DARK = {"begins": "2026-11-24 18:00", "ends": "2026-11-25 06:00", "reason": "sale"}
NIGHT = {"begins": "02:00", "ends": "04:00"}


@pytest.mark.parametrize(
    ("fleet", "maintenance", "in_use", "told"),
    [
        (excepted("2026-11-24"), {}, 2, None),
        (excepted("2026-11-25"), {}, 2, ("exception", "closing")),
        ({}, {"blackouts": [DARK]}, 2, ("blackout", "sale")),
        ({}, {"windows": [NIGHT]}, 2, ("closed", "no window opens today")),
        ({}, {}, 0, ("empty", "it has no VM")),
    ],
    ids=["expired", "exception", "blackout", "window", "retired"],
)
def test_what_was_said_since_the_plan_was_made_counts(
    fleet: dict[str, Any],
    maintenance: dict[str, Any],
    in_use: int,
    told: tuple[str, str] | None,
) -> None:
    """The plan is of 01:00, the turn at 18:00."""
    mine = service(maintenance=maintenance)
    found = left_out(Fleet.model_validate(fleet), mine, LATER, in_use)

    assert told == (found and (found.kind, found.reason))


def begun(hour: int, starts: int | None = None, **maintenance: Any) -> RotationPlan:
    """Return the plan of a run of that hour, that really started later; there is no spread."""
    return plan_turns(
        Fleet(),
        {"shop": service(maintenance=maintenance)},
        day=date(2026, 11, 24),
        began=BEGAN.replace(hour=hour),
        in_use={"shop": 2},
        spread=False,
        starts=BEGAN.replace(hour=starts) if starts else None,
    )


def test_a_blackout_after_the_next_start_is_no_exception_of_this_run() -> None:
    """The next one tells it: today nothing but the calendar kept the service from its turn."""
    dark = {"begins": "2026-11-25 01:30", "ends": "2026-11-25 12:00", "reason": "sale"}
    window = {"begins": "01:00", "ends": "04:00"}
    found = begun(14, windows=[window], blackouts=[dark])

    assert [left.kind for left in found.left] == ["closed"]


def test_the_turns_of_a_run_that_starts_late_count_from_then() -> None:
    """Its end stays that of the night it is of."""
    found, usual = begun(1, starts=10), begun(1)

    assert found.turns[0].open == ((BEGAN.replace(hour=10).timestamp(), usual.ends),)
    assert (found.day, found.ends, found.began) == (usual.day, usual.ends, usual.began)


def test_a_window_that_a_late_run_has_missed_is_told_by_a_turn_that_is_over() -> None:
    """Left out as closed it would pass for one that was not to be touched today."""
    found = begun(1, starts=10, windows=[{"begins": "02:00", "ends": "04:00"}])

    (turn,) = found.turns
    assert turn.open[-1][1] == BEGAN.replace(hour=4).timestamp()
    assert found.left == ()
