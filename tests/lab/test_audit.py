"""The audit in the lab: an orphan of each kind, drift of each kind, and things made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dns.name
import dns.reversename
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from include.facts import VmSpec
from include.image_facts import ImageSpec
from include.verdict import Outcome
from lab.airflow.client import Airflow
from lab.demo import world as worlds
from lab.demo.probes import cloud as admin
from lab.opennebula.drivers import machine_name
from lab.settings import places
from lab.vm import Machines
from snowmelt.hooks.haproxy import HaproxyHook
from snowmelt.hooks.icinga2 import Icinga2Hook
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.nftables import NftablesHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from tests.lab.service import Shop
from tests.lab.test_hooks import Inside, connections, down_member, inside, until

__all__ = ["connections", "inside"]

pytestmark = pytest.mark.timeout(900)
ROLLOUT = "q2w4e7r"
NAME, REQUESTED, ONE_WAY, OTHER_WAY, HELD = (f"shop-{ROLLOUT}-{slot}" for slot in range(5))
ZONE = "lab.test"
BY_HAND = ("shop-staging-0", "shop-worker2-0")  # read like names of ours
LEASE = "198.18.0.190"
GROUP = "shop_vms"  # in the firewall
IMAGE = ImageSpec(
    family="debian-12", version="planted", path="/no/such/image", app=None, datastore_id=1
)


def fqdn(name: str) -> str:
    return f"{name}.{ZONE}"


@pytest.fixture
def swept(inside: Inside) -> Iterator[None]:
    """Nothing that the test planted, before and after."""
    inside(sweep)
    yield
    inside(sweep)


def sweep() -> None:
    for name in (NAME, REQUESTED, ONE_WAY, OTHER_WAY, HELD):
        PuppetCaHook().remove_certificate(fqdn(name), revoke=False)
        PuppetDbHook().deactivate(fqdn(name))
        NameServerHook().remove_address(fqdn(name), None)
        Icinga2Hook().remove_host(fqdn(name))
        HaproxyHook().remove_member("shop", name, cut=True)
        NftablesHook().remove_entries(GROUP, fqdn(name))
        for vm in OpenNebulaHook().find(name):
            OpenNebulaHook().terminate(vm.vm_id, hard=True)
    HaproxyHook().remove_member("shop", "by-hand", cut=True)
    NftablesHook().remove_entries(GROUP, "by-hand")
    for name in ("by-hand", *BY_HAND):
        NameServerHook().remove_address(fqdn(name), None)
        PuppetCaHook().remove_certificate(fqdn(name), revoke=False)
    Icinga2Hook().remove_host(fqdn("by-hand"))
    for image in OpenNebulaImagesHook().images():
        if image.name == IMAGE.name:
            OpenNebulaImagesHook().remove_image(image.image_id)
    admin(places()).vn.release(network_id(), f'LEASES=[IP="{LEASE}"]')


def plant_orphans() -> None:
    """Leave one trace of each kind, each of a VM that never was.

    The VM on hold and the host with our variable are what proves that this rollout is ours.
    """
    ask_for_certificate(fqdn(NAME))
    PuppetCaHook().sign(fqdn(NAME), 3600)
    ask_for_certificate(fqdn(REQUESTED))
    report_facts(fqdn(NAME))
    server = NameServerHook()
    server.ensure_address(fqdn(NAME), "198.18.0.240", 30)
    server.ensure_address(fqdn(ONE_WAY), "198.18.0.241", 30)
    server._remove(dns.reversename.from_address("198.18.0.241"), "PTR", f"{fqdn(ONE_WAY)}.")
    server.ensure_address(fqdn(OTHER_WAY), "198.18.0.242", 30)
    server._remove(dns.name.from_text(fqdn(OTHER_WAY)), "A", "198.18.0.242")
    Icinga2Hook().ensure_host(
        fqdn(NAME), "198.18.0.240", "snowmelt-vm", {"snowmelt_service": "shop"}
    )
    HaproxyHook().ensure_member("shop", NAME, "198.18.0.240", 8080)
    NftablesHook().ensure_entry(GROUP, fqdn(NAME), "198.18.0.240")
    leave_on_hold(HELD)
    OpenNebulaImagesHook().ensure_image(IMAGE)
    until(lambda: is_down(fqdn(NAME)), 90)


def is_down(host: str) -> bool:
    """Whether Icinga has given a host up: two checks of up to 10 s, every 5 s."""
    return any(each.name == host and each.down_since for each in Icinga2Hook().inventory())


def make_by_hand() -> None:
    """Have things next to ours, as people have."""
    server = NameServerHook()
    server.ensure_address(fqdn("by-hand"), "198.18.0.243", 30)
    for address, name in zip(("198.18.0.244", "198.18.0.247"), BY_HAND, strict=True):
        server.ensure_address(fqdn(name), address, 30)
        ask_for_certificate(fqdn(name))
        PuppetCaHook().sign(fqdn(name), 3600)
    Icinga2Hook().ensure_host(fqdn("by-hand"), "198.18.0.243", "snowmelt-vm", {})
    HaproxyHook().ensure_member("shop", "by-hand", "198.18.0.243", 8080)
    NftablesHook().ensure_entry(GROUP, "by-hand", "198.18.0.243")
    until(lambda: "down" in {m.state for m in HaproxyHook().members("shop")}, 10)
    admin(places()).vn.hold(network_id(), f'LEASES=[IP="{LEASE}"]')


def network_id() -> int:
    nets = admin(places()).vnpool.info(-2, -1, -1).VNET
    return next(int(net.ID) for net in nets if net.NAME == "lab")


def leave_on_hold(name: str) -> None:
    """Make a VM as a task does that is killed before it releases it."""
    cloud = OpenNebulaHook()
    cloud.release = lambda vm_id: Outcome.UNCHANGED  # type: ignore[method-assign]
    cloud.ensure_vm(
        VmSpec(
            name=name,
            fqdn=fqdn(name),
            template="snowmelt-vm",
            service="shop",
            rollout=ROLLOUT,
            slot=4,
            release="1.0",
            cpu=0.1,
            vcpu=1,
            memory_mb=128,
            networks=("lab",),
        )
    )


def ask_for_certificate(certname: str) -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, certname)])
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    requests.put(
        f"https://puppet.{ZONE}:8140/puppet-ca/v1/certificate_request/{certname}",
        data=csr.public_bytes(Encoding.PEM),
        headers={"Content-Type": "text/plain"},
        verify=PuppetCaHook().verify(),
        timeout=10,
    ).raise_for_status()


def report_facts(certname: str) -> None:
    """Let PuppetDB know a node, as the facts of a VM's first run do."""
    facts = {
        "certname": certname,
        "environment": "production",
        "producer": None,
        "producer_timestamp": datetime.now(UTC).isoformat(),
        "values": {"planted": "yes"},
    }
    params = {"command": "replace_facts", "version": 5, "certname": certname}
    params["secondsToWaitForCompletion"] = 10
    answer = PuppetDbHook().send("POST", "/pdb/cmd/v1", params=params, body=facts)
    answer.raise_for_status()


class Auditor:
    """Runs `audit_fleet` and reads what it found."""

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow
        airflow.wait_for_dag("audit_fleet")

    def __call__(self, **params: Any) -> str:
        """Run it to its end, without any grace and brake; return the run id."""
        asked = {"grace": 0, "max_down": 100, **params}
        run_id = self.airflow.trigger("audit_fleet", **asked)
        assert self.airflow.wait_for_run("audit_fleet", run_id, 300) == "success"
        return run_id

    def found(self, **params: Any) -> dict[str, dict[str, Any]]:
        """Return the findings of a run by what they are about."""
        run_id = self(**params)
        (task,) = (t for t in self.airflow.tasks("audit_fleet", run_id) if t.step == "audit")
        value = self.airflow.xcom("audit_fleet", run_id, task)
        found = json.loads(value) if isinstance(value, str) else value
        return {f"{f['system']}: {f['thing']}": f for f in found["findings"]}


@pytest.fixture
def auditor(airflow: Airflow) -> Auditor:
    return Auditor(airflow)


def safe(found: dict[str, dict[str, Any]]) -> set[str]:
    return {thing for thing, finding in found.items() if finding["safe"]}


@pytest.mark.lab
def test_an_orphan_of_each_kind_goes_and_what_people_made_stays(
    shop: Shop, auditor: Auditor, inside: Inside, swept: None
) -> None:
    shop.serving()
    inside(make_by_hand)
    before = worlds.snapshot()
    inside(plant_orphans)

    found = auditor.found()
    assert {
        f"Puppet CA: certificate of {fqdn(NAME)}",
        f"Puppet CA: request of {fqdn(REQUESTED)}",
        f"PuppetDB: node {fqdn(NAME)}",
        f"DNS: {fqdn(NAME)} = 198.18.0.240",
        f"DNS: {fqdn(ONE_WAY)} = 198.18.0.241",
        f"DNS: {fqdn(OTHER_WAY)} = 198.18.0.242",
        f"monitoring: host {fqdn(NAME)}",
        f"balancer: member {NAME} of pool shop",
        f"firewall: {fqdn(NAME)} = 198.18.0.240 in group {GROUP}",
    } <= safe(found)
    assert any(thing.endswith(HELD) for thing in safe(found))
    (image,) = (thing for thing in found if thing.endswith(IMAGE.name))
    assert found[image]["why_not"].startswith("clean_up removes it")
    assert not found[f"OpenNebula: lease {LEASE} of network lab"]["safe"]
    assert not found["balancer: member by-hand of pool shop"]["safe"]
    assert not found[f"firewall: by-hand = 198.18.0.243 in group {GROUP}"]["safe"]
    assert not found[f"DNS: {fqdn(BY_HAND[0])} = 198.18.0.244"]["safe"]
    assert not found[f"DNS: {fqdn(BY_HAND[1])} = 198.18.0.247"]["safe"]
    assert not found[f"Puppet CA: certificate of {fqdn(BY_HAND[1])}"]["safe"]

    auditor(repair=True)

    assert worlds.changes(before, worlds.snapshot()) == []
    assert safe(auditor.found()) == set()


@pytest.mark.lab
def test_drift_of_each_kind_is_found_and_mended_in_place_where_it_can_be(
    shop: Shop, auditor: Auditor, inside: Inside
) -> None:
    (first, second), _ = shop.serving()
    before = worlds.snapshot()
    inside(lambda: disturb(first, second))
    inside(lambda: PuppetDbHook().deactivate(second.fqdn))
    inside(lambda: HaproxyHook().drain("shop", second.name))
    inside(lambda: until(lambda: down_member(HaproxyHook(), first.name), 30))

    found = auditor.found(services=["shop"])
    mends = {thing: finding["repair"] for thing, finding in found.items() if finding["service"]}
    assert mends == {
        f"DNS: {first.fqdn} = {first.address}": "publish names",
        f"DNS: {second.fqdn} = {second.address}": "publish names",
        f"monitoring: host {first.fqdn}": "monitor VM",
        f"monitoring: host {second.fqdn}": "monitor VM",
        f"balancer: member {first.name} of pool shop": "nothing",  # the firewall is why
        f"balancer: member {second.name} of pool shop": "rollout",
        f"firewall: {first.fqdn} = {first.address} in group {GROUP}": "open firewall",
        f"firewall: {second.fqdn} = 198.18.0.246 in group {GROUP}": "remove entry",
        f"PuppetDB: node {second.fqdn}": "replace VM",
    }

    inside(lambda: HaproxyHook().undrain("shop", second.name))
    tell_puppetdb(second)
    inside(lambda: until(lambda: PuppetDbHook().known(second.fqdn), 60))
    auditor(repair=True)  # what is left needs no new VM

    until(lambda: f"shop {first.name} {first.address} UP" in worlds.snapshot()["members"], 30)
    assert worlds.changes(before, worlds.snapshot()) == []


def disturb(first: worlds.Vm, second: worlds.Vm) -> None:
    """Let three systems know two living VMs wrongly, each in another way."""
    server, monitoring, firewall = NameServerHook(), Icinga2Hook(), NftablesHook()
    firewall.remove_entries(GROUP, first.fqdn)
    firewall.ensure_entry(GROUP, second.fqdn, "198.18.0.246")
    server._remove(dns.name.from_text(first.fqdn), "A", first.address)
    server._remove(dns.reversename.from_address(second.address), "PTR", f"{second.fqdn}.")
    monitoring.remove_host(first.fqdn)
    monitoring.remove_host(second.fqdn)
    variables = {"snowmelt_service": "shop"}
    monitoring.ensure_host(second.fqdn, "198.18.0.245", "snowmelt-vm", variables)


def tell_puppetdb(vm: worlds.Vm) -> None:
    """Let a VM upload its facts now, which makes it an active node again."""
    machine, start = machine_name(vm.vm_id), ["systemctl", "start", "snowmelt-inventory"]
    done = Machines(places().vms).run(machine, start, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_vm_that_lost_its_certificate_is_replaced_with_no_effect_outside(
    shop: Shop, auditor: Auditor, inside: Inside
) -> None:
    (first, second), _ = shop.serving()
    inside(lambda: PuppetCaHook().remove_certificate(first.fqdn, revoke=True))

    with shop.under_load():
        healed(shop, auditor(repair=True))

    names = {vm.name for vm in shop.vms()}
    assert second.name in names
    assert first.name not in names


@pytest.mark.long
def test_a_vm_that_somebody_deleted_is_replaced_and_nothing_of_it_is_left(
    shop: Shop, auditor: Auditor, inside: Inside
) -> None:
    """While something answers at its address the audit believes that, and leaves its traces."""
    (first, second), _ = shop.serving()
    inside(lambda: OpenNebulaHook().terminate(first.vm_id, hard=True))
    inside(lambda: until(lambda: down_member(HaproxyHook(), first.name), 30))
    inside(lambda: until(lambda: is_down(first.fqdn), 90))

    healed(shop, auditor(repair=True))

    vms = shop.vms()
    assert second.name in {vm.name for vm in vms}
    assert len(vms) == 2
    assert worlds.traces(shop.world(), [first]) == []


def healed(shop: Shop, run_id: str) -> None:
    """Wait for the rollout that an audit started."""
    assert shop.airflow.wait_for_run("rollout_shop", f"audit__{run_id}", 400) == "success"
