"""Laws: whatever stands next to ours, nothing of it is ever in the repair list."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from include.audit import Judged, Monitored
from include.planner import parse_name
from tests.include.audit.fleet import ROLLOUT, Fleet

WORDS = ("www", "db", "shop", "worker", "static", "puppet", "shop-admin", "shop-db-1")
# what reads like a name of ours: a word for a rollout, a service that is in no catalogue
LOOKALIKES = (
    *(
        "shop-staging-0",
        "shop-worker2-0",
        "shop-testing-12",
        "worker-primary-1",
        "worker-backup2-3",
    ),
    "blog-k3f7x2q-0",
)
BROKEN = (f"shop-{ROLLOUT}k-0", f"shop-{ROLLOUT}-0x", f"shop-{ROLLOUT}-1000", f"shop-{ROLLOUT}-01")
ELSEWHERE = (f"shop-{ROLLOUT}-0.example.org", f"worker-{ROLLOUT}-1.other.test")
SYSTEMS = (
    *("certificates", "requests", "nodes", "forward", "reverse"),
    *("hosts", "members", "entries", "vms"),
)

things = st.tuples(
    st.sampled_from(SYSTEMS), st.sampled_from((*WORDS, *LOOKALIKES, *BROKEN, *ELSEWHERE))
)
breaks = st.sampled_from(
    ("lose", "unknown", "off", "held", "certificate", "forward", "entry", "none")
)


def plant(fleet: Fleet, system: str, name: str, number: int) -> str:
    """Let somebody make a thing by hand; return the text by which it would be found."""
    fqdn, address = name if "." in name else f"{name}.lab.test", f"198.18.9.{number}"
    label = name.partition(".")[0]
    if system in ("certificates", "requests"):
        fleet.certificates[fqdn] = "signed" if system == "certificates" else "requested"
    elif system == "nodes":
        fleet.nodes.add(fqdn)
    elif system in ("forward", "reverse"):
        getattr(fleet, system).add((fqdn, address))
    elif system == "entries":
        fleet.entries[address] = fqdn
    elif system == "hosts":
        fleet.hosts[fqdn] = Monitored(name=fqdn, address=address, service="blog")
    elif system == "members" and label not in fleet.members:
        fleet.join(label, address)
    elif system == "vms":
        fleet.add_vm(label, "", address=address)
    return label if system in ("members", "vms") else fqdn


def break_one(fleet: Fleet, how: str) -> None:
    """Give the audit something to mend as well."""
    name = f"shop-{ROLLOUT}-1"
    if how == "lose":
        fleet.lose(name)
    elif how == "certificate":
        fleet.certificates[f"{name}.lab.test"] = "revoked"
    elif how == "forward":
        fleet.forward = {entry for entry in fleet.forward if name not in entry[0]}
    elif how == "entry":
        fleet.entries = {a: n for a, n in fleet.entries.items() if name not in n}
    elif how != "none":
        fleet.turn(name, how)  # type: ignore[arg-type]


def mended(fleet: Fleet) -> list[Judged]:
    """Return what a repair without any grace would do."""
    return [each for each in fleet.judged(grace=timedelta(0)) if each.safe]


@settings(max_examples=150, deadline=None)
@given(planted=st.lists(things, max_size=8, unique=True), broken=breaks)
def test_what_somebody_else_made_is_never_in_the_repair_list(
    planted: list[tuple[str, str]], broken: str
) -> None:
    fleet = Fleet()
    break_one(fleet, broken)
    before = {(each.finding.key, each.finding.act) for each in mended(fleet)}
    for number, (system, name) in enumerate(planted):
        plant(fleet, system, name, number)

    assert {(each.finding.key, each.finding.act) for each in mended(fleet)} <= before


@settings(max_examples=100, deadline=None)
@given(planted=st.lists(things, max_size=5, unique=True), broken=breaks)
def test_what_is_mended_has_a_name_of_ours_and_a_service_of_the_catalogue(
    planted: list[tuple[str, str]], broken: str
) -> None:
    fleet = Fleet()
    break_one(fleet, broken)
    for number, (system, name) in enumerate(planted):
        plant(fleet, system, name, number)

    for each in mended(fleet):
        parts = parse_name(each.finding.name)
        assert parts
        assert parts.service == each.finding.service
        assert parts.service in {service.name for service in fleet.services}
        assert each.finding.kind != "foreign"


@settings(max_examples=100, deadline=None)
@given(broken=breaks, busy=st.sets(st.sampled_from(("shop", "worker"))))
def test_nothing_of_a_service_under_way_is_mended(broken: str, busy: set[str]) -> None:
    fleet = Fleet()
    break_one(fleet, broken)
    judged = fleet.judged(grace=timedelta(0), busy=frozenset(busy))

    assert not [each for each in judged if each.safe and each.finding.service in busy]


@settings(max_examples=100, deadline=None)
@given(broken=breaks, minutes=st.integers(0, 14))
def test_nothing_younger_than_the_grace_is_mended(broken: str, minutes: int) -> None:
    fleet = Fleet()
    break_one(fleet, broken)
    judged = fleet.judged(seen_for=timedelta(minutes=minutes))

    # of a VM on hold OpenNebula tells the age itself
    assert not [each for each in judged if each.safe and each.finding.since is None]


@settings(max_examples=60, deadline=None)
@given(slot=st.integers(0, 1), of=st.sampled_from(("shop", "worker")))
def test_what_a_living_vm_rightly_has_is_never_removed(slot: int, of: str) -> None:
    fleet = Fleet()
    name = f"{of}-{ROLLOUT}-{slot}"
    fleet.nodes.discard(f"{name}.lab.test")
    fleet.forward.add((f"{name}.lab.test", "198.18.0.7"))
    fleet.entries["198.18.0.8"] = f"{name}.lab.test"

    removals = [each.finding for each in mended(fleet) if each.finding.act.startswith("remove")]
    wrong = [("remove entry", "198.18.0.8")] if of == "shop" else []
    assert [(found.act, found.address) for found in removals] == [
        *wrong,
        ("remove names", "198.18.0.7"),
    ]
