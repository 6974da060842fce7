"""Decide: seen + wanted -> plan, and whether each move is safe right now. Pure functions only."""

from include.planner.errors import (
    CannotSee,
    ForeignVms,
    MixedReleases,
    PlanError,
    TooLate,
    UnsafePlan,
)
from include.planner.guards import (
    may_create,
    may_drain,
    may_join,
    may_retire,
    may_start,
    too_early,
)
from include.planner.look import Facts, marked, see
from include.planner.model import Foreign, KeptVm, NewVm, OldVm, Pair, Plan, Seen, SeenVm, Wanted
from include.planner.moves import Create, Drain, Join, Keep, Move, Retire, Undrain, Watch
from include.planner.names import (
    VmName,
    parse_name,
    rollout_id,
    rollout_of,
    short_name,
    vm_name,
)
from include.planner.render import as_markdown
from include.planner.rollback import past_return, roll_back, taken_back, way_back
from include.planner.rollout import plan_rollout
from include.planner.strategies import STRATEGIES, Gate, blue_green, rolling
from include.planner.watch import started_anew, watch_verdict
from include.planner.window import patience, watch_time

__all__ = [
    "STRATEGIES",
    "CannotSee",
    "Create",
    "Drain",
    "Facts",
    "Foreign",
    "ForeignVms",
    "Gate",
    "Join",
    "Keep",
    "KeptVm",
    "MixedReleases",
    "Move",
    "NewVm",
    "OldVm",
    "Pair",
    "Plan",
    "PlanError",
    "Retire",
    "Seen",
    "SeenVm",
    "TooLate",
    "Undrain",
    "UnsafePlan",
    "VmName",
    "Wanted",
    "Watch",
    "as_markdown",
    "blue_green",
    "marked",
    "may_create",
    "may_drain",
    "may_join",
    "may_retire",
    "may_start",
    "parse_name",
    "past_return",
    "patience",
    "plan_rollout",
    "roll_back",
    "rolling",
    "rollout_id",
    "rollout_of",
    "see",
    "short_name",
    "started_anew",
    "taken_back",
    "too_early",
    "vm_name",
    "watch_time",
    "watch_verdict",
    "way_back",
]
