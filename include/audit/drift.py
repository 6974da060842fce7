"""Living VMs that some system knows wrongly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from include.audit.finding import Finding
from include.audit.view import View
from include.facts import CloudVm
from include.planner import short_name

_STATES = {
    "down": "is down in",
    "maint": "is in maintenance in",
    "drain": "gets no new sessions in",
}


def drift(view: View) -> Iterator[Finding]:
    """Yield each difference between a running VM and what other systems say of it."""
    if view.groupless:
        yield _no_group(view)
    for name in sorted(view.vms):
        vms = view.ours(name)
        if len(view.vms[name]) == len(vms) == 1 and vms[0].phase == "running" and vms[0].addresses:
            yield from _names(view, vms[0])
            yield from _puppet(view, vms[0])
            yield from _monitoring(view, vms[0])
            yield from _traffic(view, vms[0])
            yield from _firewall(view, vms[0])


def _drift(view: View, vm: CloudVm, system: str, thing: str, reason: str) -> Finding:
    return Finding(
        system=system,
        thing=thing,
        kind="drift",
        reason=reason,
        service=view.service.name,
        name=vm.name,
        vm_id=vm.vm_id,
        address=vm.addresses[0],
        release=view.release_to_heal(vm),
    )


def _names(view: View, vm: CloudVm) -> Iterator[Finding]:
    fqdn, address = view.service.fqdn(vm.name), vm.addresses[0]
    forward, reverse = view.forward.get(vm.name, set()), view.reverse.get(vm.name, set())
    for wrong in sorted((forward | reverse) - set(vm.addresses)):
        found = _drift(view, vm, "DNS", f"{fqdn} = {wrong}", f"the VM has {address}")
        yield replace(found, act="remove names", address=wrong)
    missing = [
        way for way, there in (("forward", forward), ("reverse", reverse)) if address not in there
    ]
    if missing:
        found = _drift(
            view, vm, "DNS", f"{fqdn} = {address}", f"no {' and no '.join(missing)} entry"
        )
        yield replace(found, act="publish names", doubt=_taken(view, address, fqdn))


def _taken(view: View, address: str, fqdn: str) -> str:
    """Return who else has the address, unless that is what is left of a VM of this service."""
    other = view.taken.get(address, fqdn)
    name = short_name(other)
    if other == fqdn or (name in view.reverse and view.gone(name)):
        return ""
    return f"{address} points to {other}"


def _puppet(view: View, vm: CloudVm) -> Iterator[Finding]:
    fqdn = view.service.fqdn(vm.name)
    certificate = view.certificates.get(vm.name)
    if certificate is None or certificate.state != "signed":
        reason = f"it is {certificate.state}" if certificate else "there is none"
        yield replace(
            _drift(view, vm, "Puppet CA", f"certificate of {fqdn}", reason), act="rollout"
        )
    elif certificate.not_after is not None and certificate.not_after <= view.now:
        reason = f"it has expired on {certificate.not_after:%Y-%m-%d %H:%M %Z}"
        found = _drift(view, vm, "Puppet CA", f"certificate of {fqdn}", reason)
        yield replace(found, act="replace VM", since=certificate.not_after)
    elif vm.name not in view.nodes:
        found = _drift(view, vm, "PuppetDB", f"node {fqdn}", "there is none, or it is deactivated")
        yield replace(found, act="replace VM")  # its Puppet ran once, and does not run again


def _monitoring(view: View, vm: CloudVm) -> Iterator[Finding]:
    if view.service.monitoring is None:
        return
    thing, host = f"host {view.service.fqdn(vm.name)}", view.hosts.get(vm.name)
    if host is None:
        found = _drift(view, vm, "monitoring", thing, "it is not monitored")
        yield replace(found, act="monitor VM")
    elif host.address != vm.addresses[0]:
        reason = f"has address {host.address}, the VM has {vm.addresses[0]}"
        yield replace(_drift(view, vm, "monitoring", thing, reason), act="monitor VM")
    elif host.down_since is not None and view.service.balancer is None and _is_let_in(view, vm):
        # where there is a balancer it says whether the VM serves; who is shut out is not dead
        reason = f"OpenNebula says {vm.state}, and it is down since {host.down_since:%H:%M %Z}"
        found = _drift(view, vm, "monitoring", thing, reason)
        yield replace(found, kind="dead", act="rollout", since=host.down_since)


def _traffic(view: View, vm: CloudVm) -> Iterator[Finding]:
    if view.service.balancer is None:
        return
    pool, member = view.service.balancer.pool, view.members.get(vm.name)
    thing = f"member {vm.name} of pool {pool}"
    if member is None:
        found = _drift(view, vm, "balancer", thing, "it is not in the pool")
        yield replace(found, act="rollout")
    elif member.address != vm.addresses[0]:
        reason = f"has address {member.address}, the VM has {vm.addresses[0]}"
        doubt = "a member of our name with another address is somebody's"
        yield replace(_drift(view, vm, "balancer", thing, reason), doubt=doubt)
    elif member.state in _STATES:
        found = _drift(view, vm, "balancer", thing, f"{_STATES[member.state]} the pool")
        shut_out = member.state == "down" and not _is_let_in(view, vm)
        yield found if shut_out else replace(found, act="rollout")


def _firewall(view: View, vm: CloudVm) -> Iterator[Finding]:
    if view.service.firewall is None or view.groupless:
        return
    fqdn, address, group = view.service.fqdn(vm.name), vm.addresses[0], view.service.firewall.group
    there = view.entries.get(vm.name, set())
    for wrong in sorted(there - set(vm.addresses)):
        thing = f"{fqdn} = {wrong} in group {group}"
        found = _drift(view, vm, "firewall", thing, f"the VM has {address}")
        yield replace(found, act="remove entry", address=wrong)
    if address not in there:
        thing = f"{fqdn} = {address} in group {group}"
        found = _drift(view, vm, "firewall", thing, "it is not let in")
        yield replace(found, act="open firewall", doubt=_let_in_for(view, address))


def _no_group(view: View) -> Finding:
    return Finding(
        system="firewall",
        thing=f"group {view.group} of {view.service.name}",
        kind="drift",
        reason=f"{view.groupless}: none of the service's VMs is let in",
        service=view.service.name,
        doubt="groups are made by hand",
    )


def _is_let_in(view: View, vm: CloudVm) -> bool:
    """A new VM would not serve either where the firewall is what keeps the balancer out."""
    return not view.group or vm.addresses[0] in view.entries.get(vm.name, ())


def _let_in_for(view: View, address: str) -> str:
    """Return who else the address is open for, unless that is a VM of this service that is gone."""
    other = view.let_in.get(address)
    name = short_name(other or "")
    if other is None or (name in view.entries and view.gone(name)):
        return ""
    return f"{address} is let in for {other or 'somebody'}"
