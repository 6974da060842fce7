"""Rollouts in worlds where things fail at random: the laws hold after every act, and it settles.

A failing seed is a recipe: `simulate(seed)` repeats it move by move.
"""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest

from include.catalogue import Service
from include.planner import STRATEGIES, Gate, Move, Plan, PlanError, Seen, Wanted, blue_green
from tests.include.planner.laws import Laws, at_the_end
from tests.include.planner.rolling_run import start
from tests.include.planner.run import Run
from tests.include.planner.services import shop
from tests.include.planner.world import World

_ROUNDS = 200
_CHECKED = 4  # blocks of 50 seeds
_RELEASES = ("1.0", "1.0", "1.1", "1.2", "1.3", "1.4", None)


class _KilledError(Exception):
    """The process that runs the rollout is gone, in the middle of whatever it did."""


class _Trouble:
    """Lets things fail around a run, and the run itself die after a random number of acts."""

    def __init__(self, dice: random.Random, world: World) -> None:
        self._dice, self._world, self._laws = dice, world, Laws(world)
        self._acts_to_live = dice.randint(1, 60) if dice.random() < 0.4 else 10_000

    def after_act(self, run: Run) -> None:
        self._laws.after_act(run)
        self._acts_to_live -= 1
        if not self._acts_to_live:
            raise _KilledError

    def after_tick(self, run: Run) -> None:
        self._laws.after_tick(run)
        world, dice = self._world, self._dice
        phase: Literal["failed", "unknown"] = dice.choice(("failed", "unknown"))
        if world.vms and dice.random() < 0.03:
            world.break_vm(dice.choice(sorted(world.vms)), phase)
        if world.members and dice.random() < 0.1:
            world.stuck_sessions.add(dice.choice(sorted(world.members)))
        if world.members and dice.random() < 0.05:
            world.sick ^= {dice.choice(sorted(world.members))}
        world.boots_fail = dice.random() < 0.1
        world.unreadable = ("balancer: connection refused",) if dice.random() < 0.1 else ()
        self._laws.after_tick(run)


def simulate(seed: int, strategy: str = "blue_green") -> World:
    """Return the world after one deployment, some rollouts in trouble, and one in peace."""
    dice = random.Random(seed)
    may_miss, canaries = dice.randint(0, 1), dice.randint(0, 1)
    changes: dict[str, Any] = {"strategy": strategy, "max_unavailable": may_miss}
    if strategy == "rolling":
        changes["surge"] = dice.randint(1 - may_miss, 2)
    world = World(shop(**changes, canary={"count": canaries, "watch": "20s"}))
    _in_peace(world, Wanted(), "first")
    for number in range(dice.randint(1, 4)):
        _in_trouble(dice, world, f"run {number}")
    world.heal()
    world.tick()
    _in_peace(world, Wanted(release="1.0", replicas=2, force=True), "last")
    return world


def _in_peace(world: World, wanted: Wanted, run_id: str) -> None:
    laws = Laws(world)
    run = start(world, wanted, run_id, check=laws.after_act, after_tick=laws.after_tick)
    run.finish(_ROUNDS)
    at_the_end(run)
    assert run.outcome == "success", "\n".join(run.log)
    world.tick()


def _in_trouble(dice: random.Random, world: World, run_id: str) -> None:
    wanted = Wanted(
        release=dice.choice(_RELEASES),
        replicas=dice.choice((None, None, 0, 1, 2, 3, 4)),
        replace=dice.choice(("all", "outdated", "none")),
    )
    for _ in range(dice.randint(1, 3)):  # the same run cleared and started again
        trouble, repeat = _Trouble(dice, world), dice.choice((1, 1, 2))
        try:
            run = start(
                world,
                wanted,
                run_id,
                check=trouble.after_act,
                after_tick=trouble.after_tick,
                repeat=repeat,
            )
            _follow(run)
        except (_KilledError, PlanError):
            world.tick()


def _follow(run: Run) -> None:
    """In trouble a run may also hang (and be marked failed by its deadline), but not do harm."""
    while run.outcome == "running" and run.ticks < _ROUNDS:
        run.step()
    at_the_end(run)


def _block(strategy: str, number: int) -> Any:
    """The first blocks are for every check, the others for `make test`."""
    marks = pytest.mark.runs if number >= _CHECKED else ()
    return pytest.param(strategy, number, marks=marks)


@pytest.mark.parametrize(
    ("strategy", "block"),
    [*(_block("blue_green", n) for n in range(10)), *(_block("rolling", n) for n in range(2))],
)
def test_the_laws_hold_and_it_settles_whatever_fails(strategy: str, block: int) -> None:
    """50 seeds each; every one ends with two whole VMs and no trace of any other."""
    for seed in range(block * 50, block * 50 + 50):
        world = simulate(seed, strategy)

        names = {vm.name for vm in world.vms.values()}
        assert len(names) == 2, seed
        assert world.traces() == names, seed
        assert {member.state for member in world.members.values()} == {"up"}, seed


def test_a_law_sees_who_joins_before_the_canary_was_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A law that no mistake can break would prove nothing."""

    def hasty(
        service: Service, plan: Plan, seen: Seen, passed: frozenset[Gate]
    ) -> tuple[Move, ...]:
        return blue_green(service, plan, seen, passed | {"canary"})

    monkeypatch.setitem(STRATEGIES, "blue_green", hasty)
    with pytest.raises(AssertionError, match="joined before the canary was watched"):
        simulate(0)


def test_a_seed_repeats_itself() -> None:
    """The same seed gives the same world, so a failure can be looked at again."""
    assert simulate(7) == simulate(7)
