"""Put together what a rollout leaves as evidence of each VM that it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from include.catalogue.model import Service
from include.facts import CloudVm, HostHealth, Member, PuppetReport
from include.planner import Facts, KeptVm, NewVm, Plan, parse_name
from include.proof.document import BalancerProof, MonitoringProof, PuppetProof, Run, VmProof


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen on the way, while the old VMs still ran."""

    differences: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by new VM
    failures: Mapping[str, int] = field(default_factory=dict)  # of clients, by old VM
    left: Mapping[str, str] = field(default_factory=dict)  # when each old VM left its pool

    @classmethod
    def of(cls, told: Sequence[Mapping[str, Any]]) -> Self:
        """Return what the tasks `leave_balancer` told of their old VMs."""
        return cls(
            differences={k: v for each in told for k, v in each.get("differences", {}).items()},
            failures={each["name"]: each["failures"] for each in told if "failures" in each},
            left={each["name"]: each["left"] for each in told if each["left"]},
        )


def evidence(
    service: Service,
    plan: Plan,
    run: Run,
    *,
    facts: Facts,
    reports: Mapping[str, PuppetReport],
    seen: Seen,
    now: datetime,
) -> tuple[VmProof, ...]:
    """Return the proof of each VM that the rollout made; ages allowed are the fleet's to say."""
    maker = _Maker(service, plan, run, facts, seen, now)
    vms = {vm.name: vm for vm in facts.vms if vm.phase == "running"}
    return tuple(
        maker.proof(new, vms[new.name], reports.get(new.fqdn))
        for new in made_by(plan)
        if new.name in vms
    )


def made_by(plan: Plan) -> tuple[NewVm | KeptVm, ...]:
    """Return the VMs that a rollout has made, those among them that an earlier try made."""
    names = {vm.name: parse_name(vm.name) for vm in plan.kept}
    ours = {name for name, parts in names.items() if parts and parts.rollout == plan.rollout}
    return (*plan.new, *(vm for vm in plan.kept if vm.name in ours))


@dataclass(frozen=True, slots=True)
class _Maker:
    service: Service
    plan: Plan
    run: Run
    facts: Facts
    seen: Seen
    now: datetime

    def proof(self, new: NewVm | KeptVm, vm: CloudVm, report: PuppetReport | None) -> VmProof:
        old = next((o for o in self.plan.old if o.slot == new.slot), None)
        certificates = {c.certname: c.fingerprint for c in self.facts.certificates}
        health = next((h for h in self.facts.health if h.name == new.fqdn), None)
        return VmProof(
            name=new.name,
            service=self.service.name,
            release=self.plan.release,
            vm_id=vm.vm_id,
            rebuilt=vm.created_at,
            max_age_s=int(self.service.max_age.total_seconds()),
            run=self.run,
            predecessor=old.name if old else None,
            predecessor_vm_id=old.vm_id if old else None,
            certificate=certificates.get(new.fqdn),
            puppet=_puppet(report) if report else None,
            monitoring=_monitoring(health) if health else None,
            balancer=self._balancer(new, old.name if old else None),
            differences=tuple(self.seen.differences.get(new.name, ())),
            compared=new.name in self.seen.differences,
        )

    def _balancer(self, new: NewVm | KeptVm, old: str | None) -> BalancerProof | None:
        member = next((m for m in self.facts.members if m.name == new.name), None)
        if member is None:
            return None
        left = self.seen.left.get(old) if old else None
        # an old VM that was gone before it could tell is not one that failed nobody
        nobody = None if isinstance(new, KeptVm) else 0
        before = self.seen.failures.get(old) if old else nobody
        return BalancerProof(
            pool=member.pool,
            joined=_since(member, self.now),
            predecessor_left=datetime.fromisoformat(left) if left else None,
            client_failures=None if before is None else member.errors + before,
        )


def _since(member: Member, now: datetime) -> datetime | None:
    up = now - timedelta(seconds=round(member.since_s))
    return up.replace(microsecond=0) if member.state == "up" else None


def _puppet(report: PuppetReport) -> PuppetProof:
    return PuppetProof(
        status=report.status,
        report_hash=report.report_hash,
        transaction_uuid=report.transaction_uuid,
        at=report.end_time,
    )


def _monitoring(health: HostHealth) -> MonitoringProof:
    checks = {check.name: str(check.state) for check in (health.host, *health.checks)}
    # as for the watch: a warning is well, and who is pending or unknown has said nothing yet
    return MonitoringProof(well={"ok", "warning"}.issuperset(checks.values()), checks=checks)
