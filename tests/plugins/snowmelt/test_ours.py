"""Which rollouts are ours, by those who saw them."""

from __future__ import annotations

from include.audit import Memory
from include.planner import rollout_id
from snowmelt.ours import known_rollouts
from tests.plugins.snowmelt.kit import Ti, context
from tests.plugins.snowmelt.world import FakeWorld


def test_runs_and_audits_tell(world: FakeWorld) -> None:
    """Runs of another service do not: their hash is another one."""
    world.audits.append(Memory(rollouts={"shop-q2w4e7r": world.clock.now}))
    ti = Ti(runs={"rollout_shop": ["manual__1"], "rollout_blog": ["manual__2"]})
    ours = f"shop-{rollout_id('rollout_shop', 'manual__1')}"

    assert known_rollouts("shop", context(ti)) == {"shop-q2w4e7r", ours}
