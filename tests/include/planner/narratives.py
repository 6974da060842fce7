"""Rollouts told as prose. `python -m tests.include.planner.narratives` writes them anew.

Read the difference before you commit it: it is what changes for the people who run rollouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from include.planner import Wanted, as_markdown
from tests.include.planner.rolling_run import start
from tests.include.planner.run import Run
from tests.include.planner.services import shop
from tests.include.planner.world import World

_ROLLING: dict[str, Any] = {"strategy": "rolling"}
FOLDER = Path(__file__).parent / "golden"


def first_deployment() -> str:
    """Nothing runs: both VMs come at once, no canary, since nobody is served yet."""
    return _tell(Run(World(shop()), Wanted(reason="the first day"), "first"))


def release_with_canary() -> str:
    """1.0 to 1.1: canary, the other, switch, watch, retire."""
    return _tell(_run(Wanted(release="1.1", reason="release 1.1 is out")))


def rotation_at_the_same_release() -> str:
    """The daily run: the release that serves, every VM anew."""
    return _tell(_run(Wanted()))


def nothing_to_do() -> str:
    """The wanted state is there: the plan has no moves and says so."""
    return _tell(_run(Wanted(release="1.0", replace="outdated")))


def scale_up() -> str:
    """2 to 4: two come, two stay."""
    return _tell(_run(Wanted(replicas=4, replace="none")))


def scale_down() -> str:
    """4 to 2: the highest slots go."""
    return _tell(_run(Wanted(replicas=2, replace="none"), replicas=4))


def scale_down_with_a_broken_vm() -> str:
    """4 to 2 while slot 0 is broken: the broken one goes before a whole one."""
    world = _deployed(replicas=4)
    world.break_vm(1, "unknown")
    return _tell(Run(world, Wanted(replicas=2, replace="none"), "second"))


def retire_the_service() -> str:
    """0 replicas: all drain, all go."""
    return _tell(_run(Wanted(replicas=0)))


def release_that_never_gets_healthy() -> str:
    """1.2 does not answer its health check: no new VM joins, and both go again."""
    return _tell(_run(Wanted(release="1.2")))


def release_that_answers_with_errors() -> str:
    """1.4 is healthy, but answers 500 now and then: after the switch the old VMs come back."""
    calm = {"settle": "10s", "duration": "30s", "max_error_share": 0.01, "min_requests": 1000}
    return _tell(_run(Wanted(release="1.4"), canary={"count": 0}, watch=calm))


def crashed_rollout_before() -> str:
    """A rollout died half-way; the next one clears up after it first."""
    world = _deployed()
    half_way = Run(world, Wanted(release="1.1"), "died")
    for _ in range(4):
        half_way.step()
    return _tell(Run(world, Wanted(release="1.1"), "second"))


def same_run_again() -> str:
    """A run was cleared and started again after its canary joined: it goes on from there."""
    world = _deployed()
    half_way = Run(world, Wanted(release="1.1"), "second")
    for _ in range(8):
        half_way.step()
    return _tell(Run(world, Wanted(release="1.1"), "second"))


def rolling_release() -> str:
    """1.0 to 1.1, three VMs, two at a time: the canary alone, then the window."""
    return _tell(_run(Wanted(release="1.1"), replicas=3, **_ROLLING, surge=2))


def rolling_without_surge() -> str:
    """No room beside the old VMs: one goes first, and its place wanders through the service."""
    return _tell(_run(Wanted(release="1.1"), **_ROLLING, max_unavailable=1))


def rolling_that_fails_in_the_middle() -> str:
    """No VM boots any more after the canary: the window stops, the rest of the old serve on."""
    run = _run(Wanted(release="1.1"), replicas=3, **_ROLLING, surge=1)
    while len(run.world.vms) != 3 or run.world.made == 3:
        run.step()
    run.world.boots_fail = True
    return _tell(run)


STORIES: dict[str, Callable[[], str]] = {
    story.__name__: story
    for story in (
        first_deployment,
        release_with_canary,
        rotation_at_the_same_release,
        nothing_to_do,
        scale_up,
        scale_down,
        scale_down_with_a_broken_vm,
        retire_the_service,
        release_that_never_gets_healthy,
        release_that_answers_with_errors,
        crashed_rollout_before,
        same_run_again,
        rolling_release,
        rolling_without_surge,
        rolling_that_fails_in_the_middle,
    )
}


def told(name: str) -> str:
    """Return one story with its title."""
    return f"{STORIES[name].__doc__}\n\n{STORIES[name]()}\n"


def _deployed(**changes: Any) -> World:
    world = World(shop(**changes))
    start(world, Wanted(), "first").finish()
    world.tick()
    return world


def _run(wanted: Wanted, **changes: Any) -> Run:
    return start(_deployed(**changes), wanted, "second")


def _tell(run: Run) -> str:
    run.finish()
    run.world.tick()
    return "\n".join((as_markdown(run.plan), "", *run.log, "", *_ending(run.world)))


def _ending(world: World) -> Iterator[str]:
    for vm in sorted(world.vms.values(), key=lambda vm: vm.vm_id):
        member = world.members.get(vm.name)
        yield f"vm {vm.vm_id} {vm.name}: {vm.release}, {member.state if member else 'not in pool'}"
    gone = world.traces() - {vm.name for vm in world.vms.values()}
    yield f"traces of VMs that are gone: {', '.join(sorted(gone)) or 'none'}"


if __name__ == "__main__":
    for title in STORIES:
        (FOLDER / f"{title}.txt").write_text(told(title), encoding="utf-8")
