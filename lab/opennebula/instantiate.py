"""Making a VM from a template: merge, rights, quotas, then disks, networks and CONTEXT."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from lab.opennebula import context, quotas
from lab.opennebula import names as n
from lab.opennebula.attrs import Attrs, Vector
from lab.opennebula.devices import (
    add_disks,
    add_group_rules,
    add_nics,
    eth_attributes,
    fail,
    find_image,
    networks_of,
    security_groups,
)
from lab.opennebula.errors import AUTHORIZATION, OneError, ParseError
from lab.opennebula.model import SchedAction, User, Vm, VmTemplate
from lab.opennebula.release import release
from lab.opennebula.rights import Request, is_admin
from lab.opennebula.steps import now
from lab.opennebula.text import parse
from lab.opennebula.world import World

RESTRICTED = {
    "CONTEXT": {"FILES"},
    "NIC": {
        "MAC", "VLAN_ID", "BRIDGE", "FILTER", "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING",
        "INBOUND_AVG_BW", "INBOUND_PEAK_BW", "INBOUND_PEAK_KB", "OUTBOUND_AVG_BW",
        "OUTBOUND_PEAK_BW", "OUTBOUND_PEAK_KB", "OPENNEBULA_MANAGED", "EXTERNAL",
        "VLAN_TAGGED_ID",
    },
    "DISK": {"TOTAL_BYTES_SEC", "TOTAL_IOPS_SEC", "OPENNEBULA_MANAGED", "ORIGINAL_SIZE"},
    "RAW": {"DATA"},
    "TOPOLOGY": {"PIN_POLICY", "HUGEPAGE_SIZE"},
    "USER_INPUTS": {"CPU", "MEMORY", "VCPU"},
}  # fmt: skip
RESTRICTED_WHOLE = {
    "DEPLOY_ID", "CPU_COST", "MEMORY_COST", "DISK_COST", "PCI", "EMULATOR", "USER_PRIORITY",
}  # fmt: skip
OF_THE_VM = {
    "CPU", "MEMORY", "VCPU", "DISK", "NIC", "NIC_ALIAS", "NIC_DEFAULT", "CONTEXT", "GRAPHICS", "OS",
    "FEATURES", "INPUT", "RAW", "PCI", "CPU_MODEL", "TOPOLOGY", "NUMA_NODE", "CPU_COST",
    "MEMORY_COST", "DISK_COST", "EMULATOR", "VMGROUP", "MEMORY_RESIZE_MODE", "MEMORY_MAX",
    "VCPU_MAX", "SUBMIT_ON_HOLD", "VIDEO", "TPM", "BACKUP_CONFIG",
}  # fmt: skip


@dataclass(frozen=True)
class Order:
    """What one.template.instantiate was asked for."""

    template: VmTemplate
    name: str
    hold: bool
    extra: str
    user: User


def instantiate(world: World, order: Order) -> Vm:
    """A new VM, HOLD or PENDING. Raises OneError; what was taken is given back then."""
    extra = _parse_extra(order.extra)
    if extra and not is_admin(order.user):
        refuse_restricted(order.user, extra)
    body = order.template.template.copy()
    extra.discard("NAME")  # only the second argument names a VM
    body.merge(extra)
    _authorize(world, order, body, bool(order.extra.strip()))
    draft = _draft(order, body)
    wanted = [str(net.id) for net in networks_of(world, body, order.user, fatal=False)]
    quotas.check(world, order.user, draft, wanted)
    draft.id = world.vms.next_id()
    try:
        _complete(world, draft, order, body)
    except OneError:
        release(world, draft)
        raise
    return draft


def _parse_extra(text: str) -> Attrs:
    try:
        return parse(text)
    except ParseError as error:
        raise fail(str(error)) from error


def refuse_restricted(user: User, extra: Attrs) -> None:
    """Raises OneError AUTHORIZATION if a user who is no admin sets what only admins may."""
    for name, value in extra.items:
        inner = isinstance(value, dict) and RESTRICTED.get(name, set()) & value.keys()
        if inner or name in RESTRICTED_WHOLE:
            text = f"User [{user.id}] : User Template includes a restricted attribute {name}."
            raise OneError(AUTHORIZATION, text)


def _authorize(world: World, order: Order, body: Attrs, with_extra: bool) -> None:
    request = Request(world, order.user).need("USE", order.template)
    if with_extra:
        request.need_create("TEMPLATE")
    for disk in body.vectors("DISK"):
        image = find_image(world, disk, order.user)
        if image:
            request.need("USE", image)
    for net in networks_of(world, body, order.user, fatal=False):
        request.need("USE", net)
    for group in security_groups(body):
        if group in world.secgroups.things:
            request.need("USE", world.secgroups.things[group])
    request.decide()


def _draft(order: Order, body: Attrs) -> Vm:
    """The VM without its things: sizes are checked, attributes are sorted into two templates."""
    vm = Vm(
        id=-1,
        name=order.name,
        uid=order.user.id,
        gid=order.user.gids[0],
        state=n.HOLD if order.hold else n.PENDING,
        stime=now(),
    )
    for name, value in body.copy().items:
        if name in ("SCHED_ACTION", "NAME"):
            continue
        target = vm.template if name in OF_THE_VM else vm.user_template
        target.add(name, value)
    check_sizes(vm.template)
    return vm


def check_sizes(template: Attrs) -> None:
    """CPU, MEMORY and VCPU are positive. Raises OneError ALLOCATE."""
    if not _positive(template.text("CPU"), r"\d+(\.\d+)?|\.\d+"):
        raise fail("CPU attribute must be a positive float or integer value.")
    if not _positive(template.text("MEMORY"), r"\d+"):
        raise fail("MEMORY attribute must be a positive integer value.")
    if "VCPU" in template and not _positive(template.text("VCPU"), r"\d+"):
        raise fail("VCPU attribute must be a positive integer value.")


def _positive(text: str, pattern: str) -> bool:
    return re.fullmatch(pattern, text.strip()) is not None and float(text) > 0


def _complete(world: World, vm: Vm, order: Order, body: Attrs) -> None:
    vm.name = order.name or f"{order.template.name}-{vm.id}"
    template = vm.template
    add_disks(world, vm, order.user)
    networks = add_nics(world, vm, order.user)
    add_group_rules(world, vm)
    template.put("TEMPLATE_ID", str(order.template.id))
    template.put("VMID", str(vm.id))
    if order.hold:
        template.put("SUBMIT_ON_HOLD", "YES")
    template.put("OS", {**(template.vector("OS") or {}), "UUID": str(uuid.uuid4())})
    _add_requirements(template)
    given = template.vector("CONTEXT")
    if given is not None:
        extra = [eth_attributes(net) for net in networks]
        onegate = world.settings.onegate
        template.put("CONTEXT", context.build(vm, given, order.user, extra, onegate))
    vm.actions = planned_actions(world, vm, body)


def _add_requirements(template: Attrs) -> None:
    bound = "DISK" in template or "NIC" in template
    if bound:
        for name in ("AUTOMATIC_DS_REQUIREMENTS", "AUTOMATIC_NIC_REQUIREMENTS"):
            template.put(name, '("CLUSTERS/ID" @> 0)')
    pinned = "!(PIN_POLICY = PINNED)"
    template.put("AUTOMATIC_REQUIREMENTS", f"(CLUSTER_ID = 0) & {pinned}" if bound else pinned)


def planned_actions(world: World, vm: Vm, body: Attrs) -> list[SchedAction]:
    """SCHED_ACTION vectors; TIME is an epoch, or "+seconds" after the VM was made."""
    return [_planned(world, vm, vector) for vector in body.vectors("SCHED_ACTION")]


def _planned(world: World, vm: Vm, vector: Vector) -> SchedAction:
    text = vector.get("TIME", "")
    if not re.fullmatch(r"\+?\d+", text) or not vector.get("ACTION"):
        raise fail("Wrong or missing SCHED_ACTION attribute: ACTION and TIME are needed.")
    base = vm.stime if text.startswith("+") else 0
    number = world.counters.get("schedaction", 0)
    world.counters["schedaction"] = number + 1
    return SchedAction(
        id=number, action=vector["ACTION"], time=base + int(text), args=vector.get("ARGS", "")
    )
