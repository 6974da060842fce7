"""What one audit leaves to the next, in an Airflow Variable.

People may delete it: then all ages begin anew.
"""

from __future__ import annotations

from include.audit import Memory
from snowmelt.hooks.variable import JsonVariable

NAME = "snowmelt_audit"
_KEPT = JsonVariable(
    name=NAME,
    shape=Memory,
    empty=Memory,
    description="audit_fleet: since when a finding is seen, and which rollouts are ours",
)


class AuditMemoryHook:
    """Only `audit_fleet` writes, and that runs once at a time."""

    def read(self) -> Memory:
        """Return what the audit before this one left."""
        return _KEPT.read()

    def write(self, memory: Memory) -> None:
        """Keep this for the next one."""
        _KEPT.write(memory)
