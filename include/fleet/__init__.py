"""Decide the daily rotation: whose turn it is, when, and what may be under way at once."""

from include.fleet.calendar import Span, open_spans, start_minute
from include.fleet.dispatch import Budget, Decision, Progress, decide
from include.fleet.plan import Left, RotationPlan, Turn
from include.fleet.render import as_markdown
from include.fleet.turns import left_out, plan_turns

__all__ = [
    "Budget",
    "Decision",
    "Left",
    "Progress",
    "RotationPlan",
    "Span",
    "Turn",
    "as_markdown",
    "decide",
    "left_out",
    "open_spans",
    "plan_turns",
    "start_minute",
]
