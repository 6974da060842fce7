"""The hooks against the real parts of the lab."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import dns.resolver
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, NameOID

from include.enrolment import make_token, objection
from include.facts import CertificateRequest, PuppetReport, VmSpec
from include.first_boot import first_boot_context
from include.verdict import Outcome
from lab.inside import enter
from lab.settings import CHECKOUT, places
from snowmelt.errors import Conflict, Missing, Refused
from snowmelt.hooks.balancer import Balancer, balancer_for
from snowmelt.hooks.haproxy import HaproxyHook
from snowmelt.hooks.icinga2 import Icinga2Hook
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.nftables import NftablesHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
ROLLOUT = "hooktst"
NAME = f"hooks-{ROLLOUT}-0"
FQDN = f"{NAME}.lab.test"
ADDRESS = "198.18.0.241"
HOUR = 3600
DAY = 24 * HOUR

Inside = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="module")
def connections() -> dict[str, Any]:
    """The connections of the lab, brought up unless it runs."""
    subprocess.run([sys.executable, "-m", "lab", "up"], cwd=CHECKOUT, check=True)
    found: dict[str, Any] = json.loads((places().state / "connections.json").read_text())
    return found


@pytest.fixture
def inside(connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    """`inside(f)` calls f where the product works: in the lab's network, with its names."""
    for conn_id, value in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(value))
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [connections["snowmelt_nameserver"]["host"]]
    look_up = socket.getaddrinfo

    def in_the_lab(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if str(host).endswith(".lab.test"):
            host = resolver.resolve(host, "A")[0].to_text()
        return look_up(host, port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", in_the_lab)
    with ThreadPoolExecutor(max_workers=1, initializer=enter) as pool:
        yield lambda action: pool.submit(action).result(280)


@pytest.fixture
def swept(inside: Inside) -> Iterator[None]:
    """No trace of the test's VM in any system, before and after."""
    inside(sweep)
    yield
    inside(sweep)


def sweep() -> None:
    cloud = OpenNebulaHook()
    for vm in cloud.find(NAME):
        cloud.terminate(vm.vm_id, hard=True)
    PuppetCaHook().remove_certificate(FQDN, revoke=False)
    PuppetDbHook().deactivate(FQDN)
    NameServerHook().remove_address(FQDN, None)
    Icinga2Hook().remove_host(FQDN)


@pytest.mark.parametrize(
    "hook",
    [
        *(OpenNebulaHook, PuppetCaHook, PuppetDbHook, NameServerHook),
        *(HaproxyHook, Icinga2Hook, NftablesHook),
    ],
)
def test_the_test_button_works(inside: Inside, hook: type[Any]) -> None:
    """Of every connection type, with the connections that the lab writes."""
    worked, message = inside(lambda: hook().test_connection())

    assert worked, message


def test_a_vm_comes_and_goes(inside: Inside, swept: None) -> None:
    """Made on hold, enrolled by its token with a short certificate, configured, and gone."""
    report = inside(lambda: enrolled(release="1.1"))

    assert report.status == "changed"
    assert inside(lambda: PuppetDbHook().known(FQDN))
    certificate = inside(lambda: PuppetCaHook().certificate(FQDN))
    left = certificate.not_after - datetime.now(UTC)
    assert 1.9 * DAY < left.total_seconds() < 2 * DAY
    inventory = inside(lambda: until(told, 120))
    assert inventory["packages"]["shop-app"] == "1.1"
    assert "tcp 8080" in inventory["listening"]

    inside(sweep)

    assert inside(lambda: PuppetCaHook().certificate(FQDN)) is None
    assert not inside(lambda: PuppetDbHook().known(FQDN))


def told() -> Any:
    """What the VM has told PuppetDB is installed, once that is from after its Puppet run."""
    facts = PuppetDbHook().facts([FQDN], ["snowmelt_inventory"])
    inventory = facts.get(FQDN, {}).get("snowmelt_inventory", {})
    return inventory if "shop-app" in inventory.get("packages", {}) else None


def test_a_package_that_does_not_install_says_why(inside: Inside, swept: None) -> None:
    """In one line, from the report."""
    report = inside(lambda: enrolled(release="1.3"))

    assert report.status == "failed"
    (failure,) = (line for line in report.failures if line.startswith("Package[shop-app]"))
    assert "\n" not in failure
    assert "1.3" in failure


def enrolled(release: str) -> PuppetReport:
    ca, cloud = PuppetCaHook(), OpenNebulaHook()
    vm, outcome = cloud.ensure_vm(spec(ca.enrolment_key, release))
    assert outcome is Outcome.CREATED
    assert cloud.ensure_vm(spec(ca.enrolment_key, release))[1] is Outcome.UNCHANGED
    assert vm.addresses
    request: CertificateRequest = until(lambda: ca.request(FQDN), 90)
    refusal = objection(request, FQDN, ROLLOUT, ca.enrolment_key, datetime.now(UTC))
    assert refusal is None
    ca.ensure_signed(request, 2 * DAY)
    database = PuppetDbHook()
    # the test before this one had a VM of the same name; OpenNebula's times are whole seconds
    since = vm.created_at + timedelta(seconds=1)
    found: PuppetReport = until(lambda: database.last_reports([FQDN], since).get(FQDN), 120)
    return found


def spec(key: bytes, release: str) -> VmSpec:
    context = first_boot_context(
        fqdn=FQDN,
        token=make_token(key, FQDN, ROLLOUT, int(time.time()) + HOUR),
        puppet_server="puppet.lab.test",
        environment="production",
        role="shop",
        service="shop",
        release=release,
        slot=0,
    )
    return VmSpec(
        name=NAME,
        fqdn=FQDN,
        template="snowmelt-vm",
        service="hooks",
        rollout=ROLLOUT,
        slot=0,
        release=release,
        cpu=0.5,
        vcpu=1,
        memory_mb=256,
        networks=("lab",),
        context=context,
    )


def until(look: Callable[[], Any], limit_s: float) -> Any:
    end = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < end, f"not within {limit_s} s"
        time.sleep(0.5)
    return found


def test_a_stranger_cannot_enrol_under_a_vms_name(inside: Inside, swept: None) -> None:
    """Without its token there is an objection; with a right of the CA, the CA itself refuses."""
    inside(lambda: ask_for_certificate(token=None))
    request = inside(lambda: PuppetCaHook().request(FQDN))
    key = inside(lambda: PuppetCaHook().enrolment_key)
    refusal = objection(request, FQDN, ROLLOUT, key, datetime.now(UTC))
    assert "no enrolment token" in str(refusal)

    inside(lambda: PuppetCaHook().remove_certificate(FQDN, revoke=False))
    inside(lambda: ask_for_certificate(token="1.x", extension="1.3.6.1.4.1.34380.1.3.39"))
    request = inside(lambda: PuppetCaHook().request(FQDN))
    refusal = objection(request, FQDN, ROLLOUT, key, datetime.now(UTC))
    assert "34380.1.3.39" in str(refusal)
    with pytest.raises(Conflict, match="authorization extension"):
        inside(lambda: PuppetCaHook().ensure_signed(request, HOUR))


def test_a_swapped_request_ends_revoked(inside: Inside, swept: None) -> None:
    """The certificate that the CA made is for another key than the one that was checked."""
    inside(lambda: ask_for_certificate(token="1.x"))
    checked = inside(lambda: PuppetCaHook().request(FQDN))
    inside(lambda: PuppetCaHook().remove_certificate(FQDN, revoke=False))
    inside(lambda: ask_for_certificate(token="1.x"))

    with pytest.raises(Refused, match="swapped"):
        inside(lambda: PuppetCaHook().ensure_signed(checked, HOUR))
    assert inside(lambda: PuppetCaHook().certificate(FQDN)) is None


def ask_for_certificate(token: str | None, extension: str | None = None) -> None:
    """Send a request as any machine in the network can."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FQDN)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if token:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, token.encode())
    if extension:
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier(extension), b"\x0c\x04true")
        builder = builder.add_extension(value, critical=False)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    answer = requests.put(
        f"https://puppet.lab.test:8140/puppet-ca/v1/certificate_request/{FQDN}",
        data=builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM),
        headers={"Content-Type": "text/plain"},
        verify=PuppetCaHook().verify(),
        timeout=10,
    )
    answer.raise_for_status()


def test_a_name_is_published_and_taken_back(inside: Inside, swept: None) -> None:
    """Forward and reverse, in the zones of the lab."""
    server = NameServerHook()

    assert inside(lambda: server.ensure_address(FQDN, ADDRESS, 30)) is Outcome.CREATED
    assert inside(lambda: server.reverse(ADDRESS)) == (FQDN,)
    assert inside(lambda: server.remove_address(FQDN, ADDRESS)) is Outcome.REMOVED
    assert inside(lambda: server.lookup(FQDN)) == ()


def test_a_vm_is_monitored_and_forgotten(inside: Inside, swept: None) -> None:
    """With the template of the lab and the checks of its service; nobody answers there."""
    monitoring = Icinga2Hook()
    variables = {"snowmelt_service": "hooks"}

    inside(lambda: monitoring.ensure_host(FQDN, ADDRESS, "snowmelt-vm", variables))
    inside(lambda: monitoring.check_now(FQDN))

    assert inside(lambda: monitoring.hosts("hooks")) == (FQDN,)
    down = inside(lambda: until(lambda: not_ok(monitoring), 30))
    assert {check.name for check in down} >= {"http", "nrpe"}
    assert inside(lambda: monitoring.remove_host(FQDN)) is Outcome.REMOVED


def not_ok(monitoring: Icinga2Hook) -> Any:
    checks = monitoring.health([FQDN])[0].checks
    return checks if checks and all(each.state == "critical" for each in checks) else None


def test_a_member_that_never_answers_gets_no_request(inside: Inside) -> None:
    """Into the pool of the lab over mutual TLS, and out again."""
    balancer = balancer_for("snowmelt_balancer")
    try:
        inside(lambda: balancer.ensure_member("shop", NAME, ADDRESS, 8080))
        state = inside(lambda: until(lambda: down_member(balancer), 10))
        assert state.requests == 0
    finally:
        inside(lambda: balancer.remove_member("shop", NAME, cut=True))
    with pytest.raises(Missing):
        inside(lambda: balancer.drain("shop", NAME))


def down_member(balancer: Balancer, name: str = NAME) -> Any:
    found = (member for member in balancer.members("shop") if member.name == name)
    return next((member for member in found if member.state == "down"), None)
