"""Audits told as prose. `python -m tests.include.audit.narratives` writes them anew.

Read the difference before you commit it: it is what an audit would do in somebody's cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from include.audit import Lease, Monitored, as_table, heal
from tests.include.audit.fleet import LONG_DOWN, ROLLOUT, WORDS, Fleet

FOLDER = Path(__file__).parent / "golden"
GONE = "shop-q2w4e7r-0"
FQDN = f"{GONE}.lab.test"
LIVE = f"shop-{ROLLOUT}-1"
LIVE_FQDN = f"{LIVE}.lab.test"
LIVE_ADDRESS = "198.18.0.101"


def all_is_well() -> str:
    """Every system agrees: nothing is found."""
    return _tell(Fleet())


def orphan_certificate_and_request() -> str:
    """A certificate, and a request that nobody signed, of VMs that are gone."""
    fleet = Fleet()
    fleet.certificates[FQDN] = "signed"
    fleet.certificates["shop-q2w4e7r-1.lab.test"] = "requested"
    return _tell(fleet)


def orphan_node() -> str:
    """PuppetDB has an active node whose VM is gone."""
    fleet = Fleet()
    fleet.nodes.add(FQDN)
    return _tell(fleet)


def orphan_names() -> str:
    """Three VMs that are gone: of one both entries are left, of the others one way alone."""
    fleet = Fleet()
    for slot, ways in enumerate(("both", "forward", "reverse")):
        entry = (f"shop-q2w4e7r-{slot}.lab.test", f"198.18.0.20{slot}")
        fleet.forward |= {entry} if ways != "reverse" else set()
        fleet.reverse |= {entry} if ways != "forward" else set()
    return _tell(fleet)


def orphan_in_monitoring() -> str:
    """Monitoring would page for a VM that is gone."""
    fleet = Fleet()
    fleet.hosts[FQDN] = Monitored(
        name=FQDN, address="198.18.0.200", service="shop", down_since=LONG_DOWN
    )
    return _tell(fleet)


def orphan_member() -> str:
    """The pool has a member whose VM is gone, at an address that another VM has by now."""
    fleet = Fleet()
    fleet.join(GONE, "198.18.0.200", "down")
    fleet.join("shop-q2w4e7r-1", LIVE_ADDRESS, "up")
    return _tell(fleet)


def orphan_in_the_firewall() -> str:
    """Whoever gets the address next would be let in."""
    fleet = Fleet()
    fleet.entries["198.18.0.200"] = FQDN
    return _tell(fleet)


def all_that_is_left_of_one_vm() -> str:
    """In the order in which it goes: out of the pool first, the names last."""
    fleet = Fleet()
    fleet.know(GONE, "shop", "198.18.0.200")
    fleet.lose(GONE)
    return _tell(fleet)


def held_and_never_released() -> str:
    """A task was killed between instantiate and release; the VM holds address and image."""
    fleet = Fleet()
    fleet.add_vm(GONE, "shop", phase="held")
    return _tell(fleet)


def twins() -> str:
    """Two VMs of one name: one on hold goes, one that runs is left to a person."""
    fleet = Fleet()
    fleet.add_vm(LIVE, "shop", phase="held")
    fleet.add_vm(f"worker-{ROLLOUT}-0", "worker")
    return _tell(fleet)


def two_vms_in_one_slot() -> str:
    """A rollout broke off before the old VM went: a new rollout tidies up."""
    fleet = Fleet()
    fleet.add("shop", 0, rollout="q2w4e7r")
    return _tell(fleet)


def names_of_a_living_vm() -> str:
    """Forward missing, reverse missing, a wrong address, and both ways of another VM wrong."""
    fleet = Fleet()
    fleet.forward.discard((LIVE_FQDN, LIVE_ADDRESS))
    other = f"shop-{ROLLOUT}-0.lab.test"
    fleet.reverse.discard((other, "198.18.0.100"))
    worker = f"worker-{ROLLOUT}-0.lab.test"
    fleet.forward.discard((worker, "198.18.0.102"))
    fleet.forward.add((worker, "198.18.0.7"))
    return _tell(fleet)


def reverse_of_somebody_else() -> str:
    """The address of a VM points to a hand-made name: that is not overwritten."""
    fleet = Fleet()
    fleet.reverse.discard((LIVE_FQDN, LIVE_ADDRESS))
    fleet.reverse.add(("www.lab.test", LIVE_ADDRESS))
    return _tell(fleet)


def certificate_of_a_living_vm() -> str:
    """Revoked by hand: only a new VM gets a new one."""
    fleet = Fleet()
    fleet.certificates[LIVE_FQDN] = "revoked"
    return _tell(fleet)


def node_of_a_living_vm() -> str:
    """Deactivated by hand: Puppet does not run again, and a rollout would find the VM whole."""
    fleet = Fleet()
    fleet.nodes.discard(LIVE_FQDN)
    return _tell(fleet)


def monitoring_of_living_vms() -> str:
    """One VM is not monitored, one under a wrong address."""
    fleet = Fleet()
    del fleet.hosts[LIVE_FQDN]
    other = f"shop-{ROLLOUT}-0.lab.test"
    fleet.hosts[other] = Monitored(name=other, address="198.18.0.7", service="shop")
    return _tell(fleet)


def member_of_a_living_vm() -> str:
    """Not in the pool, or down in it, or under another address."""
    fleet = Fleet(vms_each=10)
    del fleet.members[f"shop-{ROLLOUT}-0"]
    fleet.join(LIVE, LIVE_ADDRESS, "down")
    fleet.join(f"shop-{ROLLOUT}-2", LIVE_ADDRESS, "maint")
    fleet.join(f"shop-{ROLLOUT}-3", "198.18.0.103", "maint")
    return _tell(fleet)


def firewall_of_living_vms() -> str:
    """One VM is not let in, of one an address that it does not have."""
    fleet = Fleet()
    del fleet.entries[LIVE_ADDRESS]
    fleet.entries["198.18.0.7"] = f"shop-{ROLLOUT}-0.lab.test"
    return _tell(fleet)


def a_firewall_that_forgot_everything() -> str:
    """It was started anew: no VM gets a request, and none has to be replaced for it."""
    fleet = Fleet()
    fleet.entries = {}
    for slot in (0, 1):
        fleet.join(f"shop-{ROLLOUT}-{slot}", f"198.18.0.10{slot}", "down")
    return _tell(fleet)


def an_address_that_is_open_for_somebody_else() -> str:
    """A dead VM's goes first; a hand-made one is not touched."""
    fleet = Fleet()
    fleet.entries["198.18.0.100"] = FQDN
    fleet.entries[LIVE_ADDRESS] = "the old shop, ask Bob"
    return _tell(fleet)


def one_vm_died() -> str:
    """Its host is gone: one VM alone never trips the brake, its slot gets a new one."""
    fleet = Fleet()
    fleet.turn(LIVE, "unknown")
    return _tell(fleet)


def one_vm_vanished() -> str:
    """Somebody deleted it in OpenNebula: its traces go, its slot gets a new VM."""
    fleet = Fleet()
    fleet.lose(LIVE)
    return _tell(fleet)


def one_vm_was_never_replaced() -> str:
    """It vanished, its traces went, and the rollout that was to fill its slot failed."""
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update={"replicas": 3})
    return _tell(fleet, missed=frozenset({"shop-q2w4e7r-2"}))


def no_vm_of_one_service_is_there() -> str:
    """Retired, or is it the account that lost its rights? A person says which."""
    fleet = Fleet()
    fleet.services[1] = fleet.services[1].model_copy(update={"replicas": 1})
    for slot in (0, 1):
        fleet.lose(f"worker-{ROLLOUT}-{slot}")
    return _tell(fleet)


def what_a_retired_service_left() -> str:
    """Its file says so: what is left goes, and nothing is brought back."""
    fleet = Fleet()
    fleet.services[1] = fleet.services[1].model_copy(update={"replicas": 0})
    for slot in (0, 1):
        fleet.lose(f"worker-{ROLLOUT}-{slot}")
    return _tell(fleet)


def many_vms_died() -> str:
    """Three of twenty is much for a host, and less than the brake allows; five are too many."""
    fleet = Fleet(vms_each=10)
    three = []
    for slot in range(5):
        fleet.turn(f"shop-{ROLLOUT}-{slot}", "unknown")
        three += [fleet.question()] if slot == 2 else []
    return f"{_tell(fleet)}\nwith three: {three[0] or 'goes on'}\n"


def an_empty_list_from_opennebula() -> str:
    """The account lost its rights: all VMs seem gone. Nothing may be removed."""
    fleet = Fleet()
    fleet.vms = []
    return _tell(fleet)


def too_young() -> str:
    """Seen for 5 minutes only, by an audit before: left alone for now."""
    fleet = Fleet()
    fleet.nodes.add(FQDN)
    fleet.turn(LIVE, "failed")
    return _tell(fleet, seen_for=timedelta(minutes=5))


def a_rollout_is_under_way() -> str:
    """Everything of that service may be on its way; the other service is mended."""
    fleet = Fleet()
    fleet.nodes |= {FQDN, "worker-q2w4e7r-0.lab.test"}
    fleet.turn(LIVE, "starting")
    return _tell(fleet, busy=frozenset({"shop"}))


def hand_made_things_next_to_ours() -> str:
    """Names of people, a VM under our name, names that only read like one of ours."""
    fleet = Fleet()
    fleet.forward |= {("www.lab.test", "198.18.0.80"), ("shop.lab.test", "198.18.0.80")}
    for word in WORDS:
        fleet.forward.add((f"shop-{word}-0.lab.test", "198.18.0.81"))
    fleet.certificates[f"shop-{WORDS[1]}-2.lab.test"] = "signed"
    fleet.certificates["puppet.lab.test"] = "signed"
    fleet.hosts["db.lab.test"] = Monitored(name="db.lab.test", address="198.18.0.9", service="shop")
    fleet.join("static", "198.18.0.82")
    fleet.nodes.add(f"blog-{ROLLOUT}-0.lab.test")
    fleet.add_vm(GONE, "")
    fleet.add_vm("my-desktop", "shop")
    fleet.entries["198.18.0.82"] = "static"
    fleet.entries["198.18.0.83"] = ""
    fleet.leases.append(Lease(network="lab", address="198.18.0.150"))
    fleet.leases.append(Lease(network="lab", address="198.18.0.151", vm_id=7))
    return _tell(fleet)


def something_answers_where_no_vm_is() -> str:
    """The member is up, and its address is no VM's: maybe OpenNebula does not show all."""
    fleet = Fleet()
    fleet.know(GONE, "shop", "198.18.0.200")
    return _tell(fleet)


def something_is_up_where_no_vm_is() -> str:
    """Somebody gave the VM to another account: without a balancer only monitoring tells."""
    fleet = Fleet()
    fleet.vms = [vm for vm in fleet.vms if vm.name != f"worker-{ROLLOUT}-1"]
    return _tell(fleet)


def _tell(
    fleet: Fleet,
    *,
    seen_for: timedelta = timedelta(hours=1),
    busy: frozenset[str] = frozenset(),
    missed: frozenset[str] = frozenset(),
) -> str:
    judged = fleet.judged(seen_for=seen_for, busy=busy, missed=missed)
    lines = [as_table(judged), ""]
    for service, params in heal(judged).items():
        chosen = {key: value for key, value in params.items() if key != "reason"}
        lines += [f"rollout_{service} {chosen}", f"  {params['reason']}"]
    if question := fleet.question(busy=busy):
        lines.append(f"brake: {question}")
    return "\n".join(lines).rstrip() + "\n"


STORIES: dict[str, Callable[[], str]] = {
    story.__name__: story
    for story in list(globals().values())
    if callable(story) and getattr(story, "__module__", "") == __name__
    if not story.__name__.startswith("_")
}


def told(name: str) -> str:
    """Return one story with its title."""
    return f"{STORIES[name].__doc__}\n\n{STORIES[name]()}"


if __name__ == "__main__":
    for each in STORIES:
        (FOLDER / f"{each}.txt").write_text(told(each), encoding="utf-8")
