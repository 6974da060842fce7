"""What starts now, what waits and why, and when the day is over."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from include.catalogue.fleet import Budgets
from include.fleet import Budget, Decision, Progress, RotationPlan, Turn, decide

NOON = 1_000_000.0
WIDE = Budget(services=10, vms_above_plan=100, vms_waiting=100, failures=3)


def turn(
    service: str, vms: int = 2, begins: float = 0.0, ends: float = 100.0, slots: int = 0
) -> Turn:
    return Turn(
        service=service,
        run_id=f"rotation__2026-11-24__{service}",
        vms=vms,
        slots=slots or vms,
        cloud="c",
        open=((NOON + begins, NOON + ends),),
    )


def decided(
    *turns: Turn, budget: Budget = WIDE, now: float = 0.0, **progress: Progress
) -> Decision:
    plan = RotationPlan(
        day="2026-11-24", began=NOON, ends=NOON + 100, failures=budget.failures, turns=turns
    )
    return decide(plan, progress, budget, NOON + now)


def budget(**changes: Any) -> Budget:
    values = {"services": 10, "vms_above_plan": 100, "vms_waiting": 100, "failures": 3}
    return Budget(**{**values, **changes})


def started(decision: Decision) -> list[str]:
    return [turn.service for turn in decision.start]


RUNNING = Progress(state="running")
DONE = Progress(state="success")
FAILED = Progress(state="failed")


UNABLE = Progress(state="unable")
PUT_OFF = Progress(state="put off")


def test_one_that_could_not_be_started_lets_others_go_first() -> None:
    """Its OpenNebula was away for a moment: the others do not wait for it."""
    one = budget(services=1)

    assert started(decided(turn("a"), turn("b"), budget=one, a=PUT_OFF)) == ["b"]
    assert started(decided(turn("a"), turn("b"), budget=one, a=PUT_OFF, b=DONE)) == ["a"]


def test_one_that_is_paused_says_nothing_of_the_others() -> None:
    """Three owners who want to be left alone must not keep 247 services from their rotation."""
    found = decided(turn("a"), turn("b"), budget=budget(failures=1), a=UNABLE)

    assert (started(found), found.failed, found.spent) == (["b"], (), False)
    assert decided(turn("a"), turn("b"), a=UNABLE, b=Progress(state="left")).over


def test_everything_that_fits_starts() -> None:
    assert started(decided(turn("a"), turn("b"))) == ["a", "b"]


def test_no_more_services_at_once_than_allowed() -> None:
    found = decided(turn("a"), turn("b"), turn("c"), budget=budget(services=2), a=RUNNING)

    assert started(found) == ["b"]
    assert found.held == {"c": "2 services are under way"}


def test_a_queued_rotation_counts_as_one_under_way() -> None:
    found = decided(turn("a"), turn("b"), budget=budget(services=1), a=Progress(state="queued"))

    assert started(found) == []


def test_no_more_vms_above_plan_than_allowed() -> None:
    found = decided(turn("a", 4), turn("b", 3), turn("c", 2), budget=budget(vms_above_plan=6))

    assert started(found) == ["a", "c"]
    assert found.held == {"b": "4 VMs above plan, and it needs 3"}


def test_vms_that_run_do_not_wait_for_opennebula_any_more() -> None:
    small = budget(vms_waiting=4)
    waiting = decided(turn("a", 4), turn("b", 2), budget=small, a=RUNNING)
    half = Progress(state="running", running_vms=2)

    assert started(waiting) == []
    assert waiting.held == {"b": "4 VMs wait for OpenNebula, and it needs 2"}
    assert started(decided(turn("a", 4), turn("b", 2), budget=small, a=half)) == ["b"]


def test_a_service_larger_than_a_budget_goes_alone() -> None:
    tight = budget(vms_above_plan=3, vms_waiting=3)

    assert started(decided(turn("big", 9), turn("b", 1), budget=tight)) == ["big"]
    assert started(decided(turn("big", 9), turn("b", 1), budget=tight, b=RUNNING)) == []


def test_a_service_larger_than_a_budget_is_not_overtaken_for_ever() -> None:
    """While small ones keep starting there is always one under way."""
    tight = budget(vms_above_plan=3)
    found = decided(turn("a", 1), turn("big", 9), turn("c", 1), budget=tight, a=RUNNING)

    assert started(found) == []
    assert found.held == {
        "big": "1 VMs above plan, and it needs 9",
        "c": "big goes first, and alone",
    }
    assert started(decided(turn("big", 9), turn("c", 1), budget=tight)) == ["big"]


def test_a_service_larger_than_a_budget_keeps_nobody_back_before_its_time() -> None:
    """Nor while somebody else's run is at it."""
    tight = budget(vms_above_plan=3)
    early = turn("big", 9, begins=50)

    assert started(decided(turn("a", 1), early, turn("c", 1), budget=tight, a=RUNNING)) == ["c"]
    other = decided(turn("big", 9), turn("c", 1), budget=tight, big=Progress(others=1))
    assert started(other) == ["c"]


def test_a_rolling_rotation_asks_for_vms_until_the_last_one_runs() -> None:
    """Its first VM runs, and the next is asked for after it."""
    small = budget(vms_waiting=2)
    rolling = turn("a", 2, slots=6)

    for running, others in ((2, []), (4, []), (6, ["b"])):
        seen = Progress(state="running", running_vms=running)
        assert started(decided(rolling, turn("b", 2), budget=small, a=seen)) == others


def test_another_run_of_the_service_goes_first() -> None:
    found = decided(turn("a"), turn("b"), a=Progress(others=1))

    assert started(found) == ["b"]
    assert found.held == {"a": "another run of its rollout goes first"}


def test_a_service_waits_for_its_time_and_misses_it_once_it_is_over() -> None:
    early = decided(turn("a", begins=10, ends=20))
    late = decided(turn("a", begins=10, ends=20), now=20)

    assert early.held == {"a": "its time has not come"}
    assert not early.over
    assert started(decided(turn("a", begins=10, ends=20), now=10)) == ["a"]
    assert late.held == {"a": "its time was over before it could start"}
    assert late.over


def test_when_the_failure_budget_is_spent_nothing_more_is_started() -> None:
    found = decided(turn("a"), turn("b"), turn("c"), budget=budget(failures=1), a=FAILED, b=RUNNING)

    assert started(found) == []
    assert found.spent
    assert found.held == {"c": "the failure budget is spent: a failed"}
    assert not found.over  # b is followed to its end


def test_below_the_failure_budget_the_others_go_on() -> None:
    found = decided(turn("a"), turn("b"), budget=budget(failures=2), a=FAILED)

    assert started(found) == ["b"]
    assert found.failed == ("a",)


def test_the_day_is_over_when_all_have_ended() -> None:
    assert decided(turn("a"), turn("b"), a=DONE, b=FAILED).over
    assert not decided(turn("a"), turn("b"), a=DONE, b=RUNNING).over
    assert decided().over


def test_the_day_is_over_with_a_spent_budget_and_nothing_under_way() -> None:
    found = decided(turn("a"), turn("b"), budget=budget(failures=1), a=FAILED)

    assert found.over
    assert set(found.held) == {"b"}


def test_what_has_ended_is_never_started_again() -> None:
    assert started(decided(turn("a"), turn("b"), a=DONE, b=FAILED)) == []


def test_the_budgets_are_those_of_the_file() -> None:
    plan = RotationPlan(day="2026-11-24", began=NOON, ends=NOON + 100, failures=4)
    file = Budgets(services=2, vms_above_plan=7, vms_waiting=5)

    assert Budget.of(file, plan) == Budget(services=2, vms_above_plan=7, vms_waiting=5, failures=4)
    assert Budget.of(file, plan.limited(failures=None, at_once=None)) == Budget.of(file, plan)


def test_what_one_run_was_asked_for_goes_before_the_file() -> None:
    plan = RotationPlan(day="2026-11-24", began=NOON, ends=NOON + 100, failures=4)
    found = Budget.of(Budgets(services=10), plan.limited(failures=1, at_once=2))

    assert (found.services, found.failures) == (2, 1)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    services=st.integers(1, 4),
    above=st.integers(1, 12),
    waiting=st.integers(1, 12),
    fails=st.sets(st.integers(0, 11)),
    allowed=st.integers(1, 4),
)
def test_a_whole_day_keeps_every_budget_and_comes_to_its_end(
    sizes: list[int], services: int, above: int, waiting: int, fails: set[int], allowed: int
) -> None:
    """Each rotation takes three looks: queued, its VMs run, the end."""
    limits = Budget(services=services, vms_above_plan=above, vms_waiting=waiting, failures=allowed)
    turns = tuple(turn(f"s{n}", vms, ends=1e6) for n, vms in enumerate(sizes))
    plan = RotationPlan(
        day="2026-11-24", began=NOON, ends=NOON + 1e6, failures=allowed, turns=turns
    )
    age: dict[str, int] = {}
    for look in range(200):
        progress = {
            service: Progress(state="failed" if int(service[1:]) in fails else "success")
            if old >= 3
            else Progress(state="running", running_vms=99 if old == 2 else 0)
            for service, old in age.items()
        }
        found = decide(plan, progress, limits, NOON + look)
        assert not set(started(found)) & set(age)
        age = {service: old + 1 for service, old in age.items()} | dict.fromkeys(started(found), 0)
        busy = [t for t in turns if age.get(t.service, 9) < 3]
        fresh = [t for t in busy if age[t.service] < 3 and progress.get(t.service, RUNNING).active]
        assert len(busy) <= limits.services
        assert sum(t.vms for t in fresh) <= limits.vms_above_plan or len(fresh) == 1
        if found.over:
            break
    failed = sum(int(service[1:]) in fails for service in age)
    assert found.over
    assert len(age) == len(turns) or failed >= allowed
