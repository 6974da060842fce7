"""What one audit leaves to the next, in an Airflow Variable.

People may delete it: then all ages begin anew.
"""

from __future__ import annotations

from include.audit import Memory

NAME = "snowmelt_audit"


class AuditMemoryHook:
    """Only `audit_fleet` writes, and that runs once at a time."""

    def read(self) -> Memory:
        """Return what the audit before this one left."""
        from airflow.sdk import Variable

        return Memory.from_json(Variable.get(NAME, default=None, deserialize_json=True))

    def write(self, memory: Memory) -> None:
        """Keep this for the next one."""
        from airflow.sdk import Variable

        Variable.set(
            NAME,
            memory.to_json(),
            description="audit_fleet: since when a finding is seen, and which rollouts are ours",
            serialize_json=True,
        )
