"""Decide what an audit of the fleet finds, and what of it may be mended. Pure functions only."""

from include.audit.brake import brake
from include.audit.facts import FleetFacts, Lease, Monitored
from include.audit.find import find, rollouts
from include.audit.finding import ACTS, Act, Finding, Kind
from include.audit.heal import heal, in_turn, needing
from include.audit.judge import Judged, judge
from include.audit.memory import Memory, remember
from include.audit.render import as_json, as_table
from include.audit.sort import view_services
from include.audit.view import View

__all__ = [
    "ACTS",
    "Act",
    "Finding",
    "FleetFacts",
    "Judged",
    "Kind",
    "Lease",
    "Memory",
    "Monitored",
    "View",
    "as_json",
    "as_table",
    "brake",
    "find",
    "heal",
    "in_turn",
    "judge",
    "needing",
    "remember",
    "rollouts",
    "view_services",
]
