"""Decide the daily rotation: whose turn it is, when, and what may be under way at once."""

from include.fleet.calendar import Span, open_spans, start_minute
from include.fleet.dispatch import Budget, Decision, Progress, decide
from include.fleet.render import as_markdown
from include.fleet.turns import Left, RotationPlan, Turn, exceptions_on, plan_turns

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
    "exceptions_on",
    "open_spans",
    "plan_turns",
    "start_minute",
]
