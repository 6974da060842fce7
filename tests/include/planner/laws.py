"""The laws of every rollout, checked after every single act: design, section 5, by name."""

from __future__ import annotations

from collections import Counter

from include.facts import Member
from tests.include.planner.rolling_run import RollingRun
from tests.include.planner.run import Run
from tests.include.planner.world import World

_DRAIN_DEADLINE_S = 60


class Laws:
    """What holds at every moment of one run. It counts for itself; it asks no product code."""

    def __init__(self, world: World) -> None:
        self._at_start = len(world.vms)
        self._look(world)

    def after_act(self, run: Run) -> None:
        """Check all laws after one act of the rollout."""
        self._enough_members_serve(run)
        self._no_member_is_cut_off(run)
        self._the_canary_joins_first(run)
        self.after_tick(run)

    def after_tick(self, run: Run) -> None:
        """Check the laws that hold whatever the world does; what it broke is the new measure."""
        _every_member_is_in_dns_enrolled_and_monitored(run.world)
        _no_name_is_on_two_vms(run.world)
        self._room_is_kept(run)
        _window_is_kept(run)
        self._look(run.world)

    def _look(self, world: World) -> None:
        self._members = dict(world.members)
        self._let_in = _let_in(world)
        self._serving = _serving(world)

    def _enough_members_serve(self, run: Run) -> None:
        floor = run.plan.replicas - run.service.max_unavailable
        if run.why:  # on the way back, what served before is all there can be
            before = sum(vm.serving for vm in run.plan.old) + len(run.plan.kept)
            floor = min(floor, before)
        assert _serving(run.world) >= min(self._serving, floor), _story(run)

    def _no_member_is_cut_off(self, run: Run) -> None:
        for name in self._members.keys() - run.world.members.keys():
            gone = self._members[name]
            assert gone.state not in ("up", "starting"), _story(run)
            assert not gone.sessions or _waited_long_enough(run, gone), _story(run)
        for vm in run.world.vms.values():
            assert vm.phase != "stopping" or vm.name not in run.world.members, _story(run)

    def _the_canary_joins_first(self, run: Run) -> None:
        """Who an earlier attempt let in may stay in; rolling holds back the making instead."""
        if run.plan.pairs or "canary" in run.passed or not any(vm.canary for vm in run.plan.new):
            return
        others = {vm.name for vm in run.plan.new if not vm.canary}
        early = others & (_let_in(run.world) - self._let_in)
        assert not early, f"{early} joined before the canary was watched:\n{_story(run)}"

    def _room_is_kept(self, run: Run) -> None:
        allowed = max(self._at_start, _allowed(run))
        assert len(run.world.vms) <= allowed, _story(run)


def at_the_end(run: Run) -> None:
    """Check what a finished run leaves behind."""
    traces = run.world.traces()
    if run.outcome == "success":
        assert not traces & {vm.name for vm in (*run.plan.old, *run.plan.leftovers)} - {
            vm.name for vm in run.plan.new
        }, _story(run)
    if run.outcome == "failed":
        assert not traces & _taken_back(run), _story(run)
        _old_vms_serve(run)


def _window_is_kept(run: Run) -> None:
    """No more replacements are under way than the catalogue says; a run begun anew re-pairs."""
    service, world, old = run.service, run.world, {vm.vm_id for vm in run.plan.old}
    if any(vm.vm_id is not None for vm in run.plan.new):
        return
    names = {vm.name for vm in world.vms.values() if vm.vm_id not in old}
    both = sum(pair.new in names and pair.old in world.vms for pair in run.plan.pairs)
    assert not both or both <= (service.surge or service.max_unavailable), _story(run)


def _taken_back(run: Run) -> set[str]:
    return set(run.taken) if isinstance(run, RollingRun) else {vm.name for vm in run.plan.new}


def _old_vms_serve(run: Run) -> None:
    for old in run.plan.old:
        vm, member = run.world.named(old.name), run.world.members.get(old.name)
        if old.serving and vm and vm.phase == "running" and old.name in run.world.certificates:
            assert member is not None, _story(run)
            assert member.state in ("up", "down"), _story(run)  # down: the world's doing
            assert old.name not in run.world.drained, _story(run)


def _every_member_is_in_dns_enrolled_and_monitored(world: World) -> None:
    members = set(world.members)
    assert members <= set(world.addresses), "a member is not in DNS"
    assert members <= set(world.certificates), "a member is not enrolled"
    assert members <= world.monitored, "a member is not monitored"


def _no_name_is_on_two_vms(world: World) -> None:
    names = Counter(vm.name for vm in world.vms.values())
    assert all(count == 1 for count in names.values()), names


def _serving(world: World) -> int:
    up = {name for name, member in world.members.items() if member.state == "up"}
    return sum(vm.phase == "running" and vm.name in up for vm in world.vms.values())


def _let_in(world: World) -> set[str]:
    """Return the members that may get new sessions, now or when their check passes again."""
    return world.members.keys() - world.drained


def _waited_long_enough(run: Run, gone: Member) -> bool:
    began = run.drain_from.get(gone.name)
    return began is not None and (run.world.now - began).total_seconds() >= _DRAIN_DEADLINE_S


def _allowed(run: Run) -> int:
    plan, surge = run.plan, run.service.surge
    most = max(plan.replicas, len(plan.old) + len(plan.kept))
    beside = plan.replicas if plan.strategy == "blue_green" else 0
    return most + (beside if surge is None else surge)


def _story(run: Run) -> str:
    return "\n".join(run.log)
