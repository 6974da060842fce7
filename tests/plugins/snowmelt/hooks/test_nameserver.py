"""The name server hook against a real Knot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.update
import pytest

from include.facts import Address
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.nameserver import NameServerHook
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.servers import free_port, listens, program, running

SECRET = "c25vd21lbHQtdGVzdC1rZXktMDEyMzQ1Njc4OQ=="
CONFIG = """
server:
  rundir: "{dir}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{dir}/db"
  journal-db-max-size: 20M
  kasp-db-max-size: 20M
  timer-db-max-size: 5M
key:
  - id: snowmelt
    algorithm: hmac-sha256
    secret: {secret}
  - id: reader
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: ours
    key: snowmelt
    action: [update, transfer]
  - id: theirs
    key: reader
    action: [transfer]
template:
  - id: default
    storage: "{dir}"
    file: "%s.zone"
    acl: [ours, theirs]
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
zone:
  - domain: lab.test
  - domain: 0.18.198.in-addr.arpa
  - domain: closed.test
    acl: theirs
"""
START = "@ 30 SOA ns1.lab.test. hostmaster.lab.test. 1 3600 600 86400 30\n@ 30 NS ns1.lab.test.\n"
ZONES = ["lab.test", "0.18.198.in-addr.arpa"]
NAME = "shop-k3f7x2q-0.lab.test"


@dataclass
class Server:
    port: int
    connect: Connect

    def hook(self, **other: Any) -> NameServerHook:
        fields: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "login": "snowmelt",
            "password": SECRET,
            "extra": {"zones": ZONES},
        }
        return NameServerHook(self.connect("nameserver", **{**fields, **other}))


@pytest.fixture
def server(tmp_path: Path, connect: Connect) -> Iterator[Server]:
    """Yield a running Knot with a forward and a reverse zone, and one that is not ours."""
    port = free_port()
    for zone in (*ZONES, "closed.test"):
        (tmp_path / f"{zone}.zone").write_text(START)
    with (tmp_path / "lab.test.zone").open("a") as zone_file:
        zone_file.write("ns1 30 A 198.18.0.1\nalias 30 CNAME ns1\n")
    (tmp_path / "db").mkdir()
    config = tmp_path / "knot.conf"
    config.write_text(CONFIG.format(dir=tmp_path, port=port, secret=SECRET))
    command = [program("knotd"), "-c", str(config)]
    with running(command, tmp_path / "knot.log", lambda: listens(port)):
        yield Server(port, connect)


@pytest.fixture
def hook(server: Server) -> NameServerHook:
    return server.hook()


def test_a_name_is_published_forward_and_reverse(hook: NameServerHook) -> None:
    """And a second time nothing changes."""
    assert hook.ensure_address(NAME, "198.18.0.101", 30) is Outcome.CREATED

    assert hook.lookup(NAME) == ("198.18.0.101",)
    assert hook.reverse("198.18.0.101") == (NAME,)
    assert hook.ensure_address(NAME, "198.18.0.101", 30) is Outcome.UNCHANGED


def test_half_published_is_made_whole(hook: NameServerHook) -> None:
    """Forward was there, the reverse update was lost."""
    hook.ensure_address(NAME, "198.18.0.101", 30)
    hook._remove(_reverse("198.18.0.101"), "PTR", f"{NAME}.")

    assert hook.ensure_address(NAME, "198.18.0.101", 30) is Outcome.CREATED
    assert hook.reverse("198.18.0.101") == (NAME,)


def _reverse(address: str) -> Any:
    import dns.reversename

    return dns.reversename.from_address(address)


def test_a_name_of_somebody_else_is_never_overwritten(hook: NameServerHook) -> None:
    """It keeps its address, and the message shows both."""
    hook.ensure_address(NAME, "198.18.0.101", 30)

    with pytest.raises(Conflict, match=r"is 198\.18\.0\.101, wanted 198\.18\.0\.102"):
        hook.ensure_address(NAME, "198.18.0.102", 30)
    assert hook.lookup(NAME) == ("198.18.0.101",)
    assert hook.reverse("198.18.0.102") == ()


def test_an_address_of_somebody_else_is_never_overwritten(hook: NameServerHook) -> None:
    """The pointer goes on saying the other name."""
    hook.ensure_address("other.lab.test", "198.18.0.101", 30)

    with pytest.raises(Busy, match=r"other\.lab\.test\., wanted .* `audit_fleet` removes"):
        hook.ensure_address(NAME, "198.18.0.101", 30)
    assert hook.reverse("198.18.0.101") == ("other.lab.test",)


def test_an_address_whose_name_before_is_gone_a_moment_later_is_taken(hook: NameServerHook) -> None:
    """OpenNebula has given it away again before all had forgotten the VM that had it."""
    hook.ensure_address("other.lab.test", "198.18.0.101", 30)
    with pytest.raises(Busy):
        hook.ensure_address(NAME, "198.18.0.101", 30)
    hook.remove_address("other.lab.test", "198.18.0.101")
    hook.ensure_address(NAME, "198.18.0.101", 30)

    assert hook.lookup(NAME) == ("198.18.0.101",)
    assert hook.reverse("198.18.0.101") == (NAME,)


def test_a_name_that_is_an_alias_is_taken(hook: NameServerHook) -> None:
    """It has no address of its own, and it is still somebody's: the server refuses (YXDOMAIN)."""
    with pytest.raises(Conflict, match="YXDOMAIN"):
        hook.ensure_address("alias.lab.test", "198.18.0.101", 30)


def test_a_wildcard_stands_for_no_name_of_ours(server: Server) -> None:
    """It answers for each name that is not there, also for one that has just gone."""
    hook = server.hook()
    wildcard = dns.update.UpdateMessage("lab.test", keyring=hook.keyring)
    wildcard.add("*.lab.test.", 30, "A", "192.0.2.5")
    hook.send(wildcard, "add a wildcard")

    assert hook.lookup(NAME) == ()
    assert hook.ensure_address(NAME, "198.18.0.101", 30) is Outcome.CREATED
    assert server.hook().lookup(NAME) == ("198.18.0.101",)
    assert server.hook().remove_address(NAME, None) is Outcome.REMOVED
    assert server.hook().lookup(NAME) == ()
    assert server.hook().remove_address(NAME, None) is Outcome.UNCHANGED


def test_a_server_that_refuses_updates_is_asked_again(
    hook: NameServerHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BIND answers so while somebody has frozen the zone for a moment; Knot never does."""
    send = hook._tcp

    def frozen(message: dns.message.Message, what: str) -> dns.message.Message:
        answer = send(message, what)
        if isinstance(message, dns.update.UpdateMessage):
            answer.set_rcode(dns.rcode.REFUSED)
        return answer

    monkeypatch.setattr(hook, "_tcp", frozen)

    with pytest.raises(SnowmeltError, match="refuses to add shop-k3f7x2q-0") as told:
        hook.ensure_address(NAME, "198.18.0.101", 30)
    assert not isinstance(told.value, Refused)


def test_nothing_of_a_removed_name_is_left(hook: NameServerHook) -> None:
    """And a second time nothing changes."""
    hook.ensure_address(NAME, "198.18.0.101", 30)

    assert hook.remove_address(NAME, "198.18.0.101") is Outcome.REMOVED

    assert hook.lookup(NAME) == ()
    assert hook.reverse("198.18.0.101") == ()
    assert hook.remove_address(NAME, "198.18.0.101") is Outcome.UNCHANGED


def test_a_name_is_removed_whose_address_nobody_knows(hook: NameServerHook) -> None:
    """Also the pointer that is left of it when the name itself has gone already."""
    hook.ensure_address(NAME, "198.18.0.101", 30)
    hook._remove(_absolute(NAME), "A", "198.18.0.101")

    assert hook.remove_address(NAME, None) is Outcome.REMOVED
    assert hook.reverse("198.18.0.101") == ()


def _absolute(fqdn: str) -> Any:
    import dns.name

    return dns.name.from_text(fqdn)


def before_each(
    hook: NameServerHook, monkeypatch: pytest.MonkeyPatch, do: Callable[[str], object]
) -> None:
    """Let something happen between the look and each update: *do* is told which one comes."""
    send = hook.send

    def slower(update: Any, what: str) -> None:
        do(what)
        send(update, what)

    monkeypatch.setattr(hook, "send", slower)


def test_another_try_that_removed_it_first_is_no_error(
    server: Server, hook: NameServerHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was taken for dead goes on beside its second try."""
    hook.ensure_address(NAME, "198.18.0.101", 30)
    before_each(hook, monkeypatch, lambda _: server.hook().remove_address(NAME, "198.18.0.101"))

    assert hook.remove_address(NAME, "198.18.0.101") is Outcome.UNCHANGED
    assert hook.lookup(NAME) == ()


def test_an_address_that_somebody_adds_meanwhile_is_told_and_nothing_removed(
    server: Server, hook: NameServerHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands there is not what was looked at."""
    hook.ensure_address(NAME, "198.18.0.101", 30)

    def add_by_hand(what: str) -> None:
        if " A " in what:
            other = server.hook()
            by_hand = other._update(_absolute(NAME))
            by_hand.add(_absolute(NAME), 30, "A", "198.18.0.102")
            other.send(by_hand, "add by hand")

    before_each(hook, monkeypatch, add_by_hand)

    with pytest.raises(Conflict, match="NXRRSET"):
        hook.remove_address(NAME, "198.18.0.101")
    assert hook.lookup(NAME) == ("198.18.0.101", "198.18.0.102")


def test_removing_leaves_what_is_somebody_elses(hook: NameServerHook) -> None:
    """The address has been given to another VM meanwhile."""
    hook.ensure_address("other.lab.test", "198.18.0.101", 30)

    assert hook.remove_address(NAME, "198.18.0.101") is Outcome.UNCHANGED
    assert hook.reverse("198.18.0.101") == ("other.lab.test",)


def test_a_zone_lists_its_addresses_and_a_reverse_zone_its_pointers(
    hook: NameServerHook,
) -> None:
    """The audit compares these with the VMs there are."""
    hook.ensure_address(NAME, "198.18.0.101", 45)

    ours = Address(fqdn=NAME, address="198.18.0.101", ttl=45)
    assert hook.addresses("lab.test") == (
        Address(fqdn="ns1.lab.test", address="198.18.0.1", ttl=30),
        ours,
    )
    assert hook.addresses("0.18.198.in-addr.arpa") == (ours,)


@pytest.mark.parametrize("label", ["lb._dns-sd._udp", "5.0-127", "7.7", "many"])
def test_pointers_of_names_that_stand_for_no_address_are_left_out(
    hook: NameServerHook, label: str
) -> None:
    """Of a service (RFC 6763), of a delegated part (RFC 2317): one of them blinds no audit."""
    hook.ensure_address(NAME, "198.18.0.101", 45)
    hook._ensure(_absolute(f"{label}.0.18.198.in-addr.arpa"), 30, "PTR", f"{NAME}.")

    assert [each.address for each in hook.addresses("0.18.198.in-addr.arpa")] == ["198.18.0.101"]
    assert hook.remove_address(NAME, None) is Outcome.REMOVED


def test_an_address_outside_our_reverse_zones_is_taken_off_a_name(hook: NameServerHook) -> None:
    """The server has no such zone and would refuse to answer for the pointer."""
    hook.ensure_address(NAME, "198.18.0.101", 30)
    update = hook._update(_absolute(NAME))
    update.add(_absolute(NAME), 30, "A", "10.9.9.9")
    hook.send(update, "add by hand")

    assert hook.remove_address(NAME, "10.9.9.9") is Outcome.REMOVED
    assert hook.lookup(NAME) == ("198.18.0.101",)
    assert hook.reverse("198.18.0.101") == (NAME,)


def test_a_name_outside_our_zones_is_missing_a_zone(hook: NameServerHook) -> None:
    """Nothing is sent."""
    with pytest.raises(Missing, match="none of our zones"):
        hook.ensure_address("www.example.org", "198.18.0.101", 30)


def test_a_zone_that_the_server_does_not_have_for_us(server: Server) -> None:
    """It is configured here, and the server does not let us change it."""
    hook = server.hook(extra={"zones": [*ZONES, "closed.test", "gone.test"]})

    with pytest.raises(NotAllowed):
        hook.ensure_address("x.closed.test", "198.18.0.101", 30)
    with pytest.raises(NotAllowed):
        hook.ensure_address("x.gone.test", "198.18.0.101", 30)


@pytest.mark.parametrize(
    "key",
    [
        {"login": "nobody"},
        {"password": "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldC0wMTIz"},
        {"login": "reader"},
    ],
)
def test_a_key_that_the_server_does_not_take_is_not_allowed(
    server: Server, key: dict[str, str]
) -> None:
    """An unknown key, a wrong secret, a key that may only read."""
    hook = server.hook(**key)

    with pytest.raises(NotAllowed):
        hook.ensure_address(NAME, "198.18.0.101", 30)
    assert server.hook().lookup(NAME) == ()


def test_a_secret_that_is_no_base64_is_refused_without_being_shown(server: Server) -> None:
    """Somebody pasted the wrong thing into the form."""
    hook = server.hook(password="not base64!")

    with pytest.raises(Refused, match="no base64") as raised:
        hook.ensure_address(NAME, "198.18.0.101", 30)
    assert "not base64!" not in str(raised.value)


def test_no_server_there_is_unreachable(connect: Connect) -> None:
    """Airflow tries again."""
    hook = Server(free_port(), connect).hook()

    with pytest.raises(Unreachable):
        hook.lookup(NAME)


def test_the_test_button_shows_the_serial_of_each_zone(hook: NameServerHook) -> None:
    """The connection form calls this."""
    worked, message = hook.test_connection()

    assert (worked, message) == (True, "lab.test serial 1, 0.18.198.in-addr.arpa serial 1")
