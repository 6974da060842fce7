"""Takes away what a scenario made, whatever state it left it in."""

from __future__ import annotations

import time

from tests.contract import tree, wire
from tests.contract.cloud import Cloud
from tests.contract.site import Site

REMOVERS = {
    "acl": "one.acl.delrule",
    "datastore": "one.datastore.delete",
    "group": "one.group.delete",
    "host": "one.host.delete",
    "image": "one.image.delete",
    "secgroup": "one.secgroup.delete",
    "template": "one.template.delete",
    "user": "one.user.delete",
    "vnet": "one.vn.delete",
}
# Users go before their groups, VMs before all they use: otherwise newest first.
LAST = ("group", "datastore")
AGAIN = 3.0  # seconds between two tries: terminate is refused in states that pass by themselves
PATIENCE = 20.0  # seconds for VMs to be DONE and for images to leave the state LOCKED


def clean_up(cloud: Cloud) -> list[str]:
    """Remove everything; returns a sentence for each object that could not be removed."""
    if not cloud.live:
        return []
    cloud.switches.clear()
    left = _end_vms(cloud, [live for kind, live in cloud.made if kind == "vm"])
    others = [entry for entry in reversed(cloud.made) if entry[0] != "vm"]
    for kind, live in sorted(others, key=lambda entry: entry[0] in LAST):
        left += _remove(cloud, kind, live)
    return left


def _end_vms(cloud: Cloud, vms: list[int]) -> list[str]:
    end = time.monotonic() + PATIENCE
    waiting = list(vms)
    for vm in waiting:
        cloud.raw("one.vm.unlock", vm)
    while waiting and time.monotonic() < end:
        for vm in waiting:
            cloud.raw("one.vm.action", "terminate-hard", vm)
        waiting = _still_there(cloud, waiting, AGAIN)
    for vm in waiting:  # oned's own last resort: forget the VM whatever its driver does
        cloud.raw("one.vm.recover", vm, 3)
    return [f"VM {vm} did not end" for vm in _still_there(cloud, waiting, AGAIN)]


def _still_there(cloud: Cloud, vms: list[int], seconds: float) -> list[int]:
    """Those that are not DONE after so many seconds; returns early when all are."""
    end = time.monotonic() + seconds
    while (vms := [vm for vm in vms if not _ended(cloud, vm)]) and time.monotonic() < end:
        time.sleep(0.05)
    return vms


def _ended(cloud: Cloud, vm: int) -> bool:
    info = cloud.raw("one.vm.info", vm)
    return not info.ok or "<STATE>6</STATE>" in info.value


def _remove(cloud: Cloud, kind: str, live: int) -> list[str]:
    end = time.monotonic() + PATIENCE
    while not (answer := cloud.raw(REMOVERS[kind], live)).ok:
        if answer.code == 0x0400 or (kind == "acl" and "does not exist" in answer.value):
            return []
        if time.monotonic() > end:
            return [f"{kind} {live}: {answer.value}"]
        time.sleep(0.2)
    return []


def leftovers(site: Site, run: str) -> list[str]:
    """Objects of a whole test run that are still there; images and networks go a moment later."""
    end = time.monotonic() + PATIENCE
    while (found := _named(site, run)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def _named(site: Site, run: str) -> list[str]:
    found: list[str] = []
    for method, params in LISTS.items():
        answer = wire.decode(*wire.post(site.url, wire.encode(method, [site.session, *params])))
        for node in tree.parse(answer.value).children if answer.ok else ():
            name = node.value("NAME") or ""
            found += [f"{node.tag} {name}"] if name.startswith(run) else []
    return found


LISTS: dict[str, tuple[int, ...]] = {
    "one.vmpool.info": (-2, -1, -1, -1),
    "one.templatepool.info": (-2, -1, -1),
    "one.imagepool.info": (-2, -1, -1),
    "one.vnpool.info": (-2, -1, -1),
    "one.secgrouppool.info": (-2, -1, -1),
    "one.userpool.info": (),
    "one.grouppool.info": (),
    "one.hostpool.info": (),
    "one.datastorepool.info": (),
}
