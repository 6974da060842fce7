"""What a look means for the one who waits: pure functions from facts to a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from include.facts import CheckResult, CloudVm, HostHealth, Member, PuppetReport
from include.first_boot import RUNS
from include.verdict import Verdict, done, failed, pending

# A pause of the first boot and another run of Puppet.
NEXT_RUN_S = 120.0


def boot_verdict(name: str, vm: CloudVm | None) -> Verdict:
    """Is the VM running?"""
    if vm is None:
        return pending(f"{name} is not in OpenNebula's list yet")
    where = f"{name} (VM {vm.vm_id}) is {vm.state}"
    if vm.phase == "running":
        return done(f"{where} on {vm.host}" if vm.host else where)
    told = f"{where}: {vm.message}" if vm.message else where
    if vm.phase in ("failed", "off", "stopping", "done"):
        return failed(told, retryable=True)  # the next try makes a new one, maybe elsewhere
    return pending(told)


def gone_verdict(name: str, vm: CloudVm | None) -> Verdict:
    """Is the VM gone?

    A guest that ignores the shutdown leaves its VM in SHUTDOWN for ever, and a shutdown that
    fails puts it silently back to RUNNING: both are pending here, until the deadline.
    """
    if vm is None or vm.phase == "done":
        return done(f"{name} is gone")
    return pending(f"{name} (VM {vm.vm_id}) is {vm.state}")


def request_verdict(certname: str, state: str | None) -> Verdict:
    """Has the VM asked for its certificate? *state* is what the CA has under its name."""
    if state is None:
        return pending(f"{certname} has not asked for a certificate yet")
    return done(f"the CA has {certname} as {state}")


def report_verdict(
    certname: str, report: PuppetReport | None, failed_runs: int, waited_s: float
) -> Verdict:
    """Did the VM's Puppet run end well?

    The first boot makes up to three runs, with pauses of 5 and 15 s: a package repository may be
    away for a moment. So a failed report counts when it is the third (*failed_runs*), or when it
    has *waited_s* for another: a run that gets no answer from the server sends none.
    """
    if report is None:
        return pending(f"{certname} has sent no Puppet report yet")
    if report.noop:
        return pending(f"{certname} ran Puppet without applying anything (noop)")
    if report.status != "failed":
        return done(f"Puppet on {certname}: {report.status} (report {report.report_hash[:8]})")
    why = "; ".join(report.failures) or "see its report"
    told = f"Puppet on {certname} failed: {why}"
    return failed(told) if failed_runs >= RUNS or waited_s >= NEXT_RUN_S else pending(told)


def health_verdict(name: str, health: HostHealth | None) -> Verdict:
    """Has monitoring checked the VM and everything on it since it was added, with success?"""
    if health is None:
        return pending(f"{name} is not in monitoring yet")
    if not health.checks:
        return pending(f"{name} has no checks yet")
    bad = [_told(c) for c in (health.host, *health.checks) if c.state != "ok"]
    if bad:
        return pending(f"{name}: {', '.join(bad)}")
    return done(f"{name}: {1 + len(health.checks)} checks are ok")


def _told(check: CheckResult) -> str:
    return f"{check.name} {check.state}" + (f" ({check.output})" if check.output else "")


def serving_verdict(name: str, member: Member | None) -> Verdict:
    """Does the balancer send traffic to the VM?"""
    if member is None:
        return pending(f"{name} is not in the pool yet")
    if member.state == "up":
        return done(f"{name} serves in pool {member.pool}")
    return pending(f"{name} is {member.state} in pool {member.pool}")


def drained_verdict(name: str, member: Member | None) -> Verdict:
    """Have the sessions on the VM ended?"""
    if member is None:
        return done(f"{name} is in no pool")
    if member.state == "up":
        return failed(f"{name} takes new sessions again: somebody ended its drain")
    if member.sessions or member.connections:
        return pending(
            f"{name} still has {member.sessions} sessions, {member.connections} connections"
        )
    return done(f"{name} is drained")


def all_gone_verdict(vm_ids: Sequence[int], vms: Sequence[CloudVm]) -> Verdict:
    """Are all these VMs gone?"""
    left = [vm for vm in vms if vm.vm_id in vm_ids and vm.phase != "done"]
    if not left:
        return done(f"{len(vm_ids)} VMs are gone")
    return pending("still there: " + ", ".join(f"{vm.name} ({vm.state})" for vm in left))
