"""What was seen at the end of a day's rotation: the proof is put together from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from include.planner import SeenVm
from include.proof.document import VmProof


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedRollout:
    """Where and why a rotation failed."""

    why: str
    tasks: tuple[str, ...]

    @property
    def by_gate(self) -> bool:
        """Whether a watch said no."""
        return any(task.rpartition(".")[2].startswith("watch") for task in self.tasks)


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """One run of a service's rotation on the day; only after a failed one there is another."""

    run_id: str
    state: str  # as Airflow says
    failed: FailedRollout | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """All that was seen at the end of a day's rotation."""

    tries: Mapping[str, Sequence[Try]] = field(default_factory=dict)  # by service, the first first
    held: Mapping[str, str] = field(default_factory=dict)  # why a service was not started
    # services whose file is wrong or whose VMs could not be looked at: why
    unknown: Mapping[str, str] = field(default_factory=dict)
    vms: Mapping[str, Sequence[SeenVm]] = field(default_factory=dict)  # by service
    evidence: Mapping[str, VmProof] = field(default_factory=dict)  # by VM
    busy: Collection[str] = ()  # services with a rollout under way
