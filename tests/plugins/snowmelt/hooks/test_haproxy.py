"""The HAProxy hook against a real HAProxy and a real application behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from include.facts import Member
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, Refused, Unreachable
from snowmelt.hooks import haproxy, haproxy_socket
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.haproxy import HaproxyHook
from snowmelt.hooks.haproxy_text import sticky_keys
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.servers import (
    App,
    application,
    free_port,
    listens,
    program,
    running,
    until,
)
from tests.plugins.snowmelt.hooks.tls import Authority

CONFIG = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    option httpchk GET /health
    http-check expect status 200
    option redispatch 1
    option idle-close-on-response
frontend fe
    bind 127.0.0.1:{port}
    default_backend shop
backend shop
    balance leastconn
    stick-table type string len 32 size 1k expire 30m
    stick match req.cook(SESSIONID)
    stick store-response res.cook(SESSIONID)
backend plain
    balance leastconn
frontend twin
    bind unix@{socket}.twin
    default_backend twin
backend twin
    balance leastconn
"""
GUARD = """
defaults
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend runtime_api
    mode tcp
    bind 127.0.0.1:{port} ssl crt {both} ca-file {ca} verify required
    default_backend runtime_api
backend runtime_api
    mode tcp
    server cli unix@{to}
"""


@dataclass
class Balanced:
    url: str
    socket: Path

    def get(self, path: str = "/", **cookies: str) -> requests.Response:
        return requests.get(self.url + path, cookies=cookies, timeout=5)


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    """Yield a running HAProxy without any server."""
    port, path = free_port(), tmp_path / "admin.sock"
    config = tmp_path / "haproxy.cfg"
    config.write_text(CONFIG.format(socket=path, port=port))
    command = [program("haproxy"), "-db", "-q", "-f", str(config)]
    with running(command, tmp_path / "haproxy.log", path.exists):
        yield Balanced(f"http://127.0.0.1:{port}", path)


@pytest.fixture
def hook(balanced: Balanced, connect: Connect) -> HaproxyHook:
    return HaproxyHook(connect("haproxy", extra={"socket": str(balanced.socket)}))


@pytest.fixture
def app() -> Iterator[tuple[int, type[App]]]:
    with application() as running_app:
        yield running_app


def join(hook: HaproxyHook, name: str, port: int) -> None:
    hook.ensure_member("shop", name, "127.0.0.1", port)
    until(lambda: one(hook, name).state == "up")


def one(hook: HaproxyHook, name: str, idle_s: float = 60.0) -> Member:
    return next(member for member in hook.members("shop", idle_s) if member.name == name)


def test_a_new_member_serves_after_its_check_and_not_before(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """Requests until then are refused by the balancer, never sent to the new VM."""
    port, switches = app
    switches.healthy = False

    outcome = hook.ensure_member("shop", "vm0", "127.0.0.1", port)

    assert outcome is Outcome.CREATED
    assert one(hook, "vm0").state == "starting"
    assert balanced.get().status_code == 503
    until(lambda: one(hook, "vm0").state == "down")
    assert one(hook, "vm0").requests == 0
    switches.healthy = True
    until(lambda: one(hook, "vm0").state == "up")
    assert balanced.get().status_code == 200


def test_joining_twice_changes_nothing(hook: HaproxyHook, app: tuple[int, type[App]]) -> None:
    """A retry finds the member and leaves it up."""
    join(hook, "vm0", app[0])

    assert hook.ensure_member("shop", "vm0", "127.0.0.1", app[0]) is Outcome.UNCHANGED
    assert one(hook, "vm0").state == "up"


def test_a_member_left_half_added_is_made_whole(
    hook: HaproxyHook, app: tuple[int, type[App]]
) -> None:
    """Killed right after "add server": it stands there in maintenance with weight 0."""
    hook._do(f"add server shop/vm0 127.0.0.1:{app[0]} check inter 200ms weight 0")

    join(hook, "vm0", app[0])


def test_a_new_member_has_the_options_of_the_connection(
    balanced: Balanced, connect: Connect, app: tuple[int, type[App]]
) -> None:
    """HAProxy's `default-server` is for those in its file only."""
    extra = {"socket": str(balanced.socket), "server_options": "maxconn 7 inter 300ms"}
    hook = HaproxyHook(connect("haproxy", extra=extra))
    join(hook, "vm0", app[0])

    assert hook._rows("shop")["vm0"]["slim"] == "7"


@pytest.mark.parametrize("options", ["maxconn 7; disable server shop/vm1", "maxconn 7\nshow info"])
def test_options_never_become_a_command(balanced: Balanced, connect: Connect, options: str) -> None:
    extra = {"socket": str(balanced.socket), "server_options": options}
    hook = HaproxyHook(connect("haproxy", extra=extra))

    with pytest.raises(Refused, match="test_haproxy: server_options"):
        hook.ensure_member("shop", "vm0", "127.0.0.1", 80)
    assert hook.members("shop") == ()


def test_the_name_with_another_address_is_a_conflict(
    hook: HaproxyHook, app: tuple[int, type[App]]
) -> None:
    """The message shows both."""
    join(hook, "vm0", app[0])

    with pytest.raises(Conflict, match=r"127\.0\.0\.1:\d+, wanted 127\.0\.0\.9:80"):
        hook.ensure_member("shop", "vm0", "127.0.0.9", 80)


def test_a_drained_member_keeps_its_sessions_and_gets_no_new_ones(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """The cookie decides."""
    join(hook, "vm0", app[0])
    cookie = balanced.get().cookies["SESSIONID"]

    assert hook.drain("shop", "vm0") is Outcome.REMOVED
    assert hook.drain("shop", "vm0") is Outcome.UNCHANGED

    assert one(hook, "vm0").state == "drain"
    assert balanced.get(SESSIONID=cookie).status_code == 200
    assert balanced.get().status_code == 503


def test_an_undrained_member_serves_at_once(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """The way back of a rollout must not wait for a check."""
    join(hook, "vm0", app[0])
    hook.drain("shop", "vm0")

    assert hook.undrain("shop", "vm0") is Outcome.CREATED
    assert balanced.get().status_code == 200
    assert hook.undrain("shop", "vm0") is Outcome.UNCHANGED


def test_a_member_drained_by_weight_serves_at_once(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """So it stands there after a reload with the configuration of a drained member."""
    join(hook, "vm0", app[0])
    hook._do("set server shop/vm0 weight 0")
    assert one(hook, "vm0").state == "drain"

    hook.undrain("shop", "vm0")

    assert balanced.get().status_code == 200


def test_a_member_drained_while_down_comes_back(
    hook: HaproxyHook, app: tuple[int, type[App]]
) -> None:
    """HAProxy shows it as down, and the drain would stay in force unseen."""
    port, switches = app
    join(hook, "vm0", port)
    switches.healthy = False
    until(lambda: one(hook, "vm0").state == "down")
    hook.drain("shop", "vm0")

    hook.undrain("shop", "vm0")

    switches.healthy = True
    until(lambda: one(hook, "vm0").state == "up")


def test_only_sessions_in_use_count(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """A session counts until it was idle for the time that was asked for."""
    join(hook, "vm0", app[0])
    balanced.get()
    balanced.get()

    assert one(hook, "vm0", idle_s=60).sessions == 2
    assert [member.sessions for member in hook.members("shop")] == [0]  # nobody asked
    until(lambda: one(hook, "vm0", idle_s=0.1).sessions == 0)


def test_requests_and_errors_are_counted(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """The watch of a rollout reads these."""
    join(hook, "vm0", app[0])
    balanced.get()
    balanced.get("/broken")

    seen = one(hook, "vm0")

    assert (seen.requests, seen.errors) == (2, 1)


def test_a_member_with_a_running_request_is_not_removed_yet(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """Busy until it has ended; then it is removed, and a second time nothing happens."""
    port, switches = app
    join(hook, "vm0", port)
    switches.seconds = 0.5
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(balanced.get().status_code))
    client.start()
    until(lambda: one(hook, "vm0").connections == 1)

    with pytest.raises(Busy):
        hook.remove_member("shop", "vm0")

    client.join()
    assert answers == [200]
    until(lambda: removed(hook, "vm0"))
    assert hook.remove_member("shop", "vm0") is Outcome.UNCHANGED


def test_connections_are_cut_on_request(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """The declared action at the end of a drain deadline."""
    port, switches = app
    join(hook, "vm0", port)
    switches.seconds = 2.0
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(balanced.get().status_code))
    client.start()
    until(lambda: one(hook, "vm0").connections == 1)

    until(lambda: removed(hook, "vm0", cut=True), 1.5)

    client.join()
    assert answers != [200]


def test_the_sessions_of_a_removed_member_are_forgotten(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """And those of the others are kept, however many there are."""
    join(hook, "vm0", app[0])
    for number in range(3):
        balanced.get(SESSIONID=f"old{number}")
    balanced.get()
    gone = sticky_keys(hook._table("shop"), "vm0")
    hook.drain("shop", "vm0")
    join(hook, "vm1", app[0])
    balanced.get()

    until(lambda: removed(hook, "vm0"))

    table = hook._table("shop")
    assert gone
    assert sticky_keys(table, "vm0") == []
    assert sticky_keys(table, "vm1") != []


def test_sessions_that_outlived_their_member_are_forgotten(
    hook: HaproxyHook, balanced: Balanced, app: tuple[int, type[App]]
) -> None:
    """One in use is not cleared: the member goes, and the next try has to find what is left."""
    join(hook, "vm0", app[0])
    balanced.get()
    hook._do("set server shop/vm0 state maint")
    until(lambda: deleted(hook, "vm0"))
    assert sticky_keys(hook._table("shop"), "vm0")

    assert hook.remove_member("shop", "vm0") is Outcome.UNCHANGED

    assert sticky_keys(hook._table("shop"), "vm0") == []


def test_of_several_commands_the_one_that_failed_is_told(
    hook: HaproxyHook, app: tuple[int, type[App]]
) -> None:
    """HAProxy does the others all the same, and its answers do not say whose they are."""
    join(hook, "vm0", app[0])

    with pytest.raises(Missing, match="No such server"):
        hook._do("set server shop/vm9 state ready", "set server shop/vm0 state drain")

    assert one(hook, "vm0").state == "drain"


def test_a_member_that_another_try_has_just_added_serves(
    hook: HaproxyHook, app: tuple[int, type[App]]
) -> None:
    """Its health is proved once more, and it is the same member."""
    join(hook, "vm0", app[0])

    assert hook._add("shop", "vm0", "127.0.0.1", app[0]) is Outcome.UNCHANGED

    until(lambda: one(hook, "vm0").state == "up")


def deleted(hook: HaproxyHook, name: str) -> bool:
    try:
        hook._do(f"del server shop/{name}")
    except Busy:
        return False
    return True


def removed(hook: HaproxyHook, name: str, cut: bool = False) -> bool:
    try:
        hook.remove_member("shop", name, cut)
    except Busy:
        return False
    return True


def test_a_member_that_is_not_there_cannot_be_drained(hook: HaproxyHook) -> None:
    """Removing it succeeds all the same."""
    with pytest.raises(Missing, match="vm9"):
        hook.drain("shop", "vm9")
    assert hook.remove_member("shop", "vm9") is Outcome.UNCHANGED


def test_an_unknown_pool_is_missing(hook: HaproxyHook) -> None:
    """Somebody has to add it to HAProxy's configuration."""
    with pytest.raises(Missing, match="nowhere"):
        hook.members("nowhere")
    with pytest.raises(Missing, match="nowhere"):
        hook.ensure_member("nowhere", "vm0", "127.0.0.1", 80)


def test_a_pool_is_asked_for_alone_however_many_there_are(
    hook: HaproxyHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 servers are 300 kB: too much for each look of each VM."""
    hook.ensure_member("plain", "neighbour", "127.0.0.1", 80)
    hook.ensure_member("shop", "vm0", "127.0.0.1", 80)
    answers: list[str] = []

    def listening(connect: object, command: str) -> str:
        answers.append(haproxy_socket.ask(connect, command))  # type: ignore[arg-type]
        return answers[-1]

    monkeypatch.setattr(haproxy, "ask", listening)

    assert [member.name for member in hook.members("shop")] == ["vm0"]
    assert answers
    assert not any("neighbour" in answer for answer in answers)


def test_a_pool_that_has_the_name_of_a_frontend_has_its_members(hook: HaproxyHook) -> None:
    """Asked for that name, HAProxy answers with the frontend, which comes first, alone."""
    hook.ensure_member("twin", "vm0", "127.0.0.1", 80)

    assert [member.name for member in hook.members("twin")] == ["vm0"]


def test_a_pool_without_sticky_sessions_has_none(hook: HaproxyHook) -> None:
    """It has no stick-table to show."""
    hook.ensure_member("plain", "vm0", "127.0.0.1", 1)

    assert [member.sessions for member in hook.members("plain", 60)] == [0]


@pytest.mark.parametrize("name", ["vm0;shutdown frontend fe", "vm0\nclear counters all", ""])
def test_a_name_never_becomes_a_command(hook: HaproxyHook, name: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(Refused):
        hook.ensure_member("shop", name, "127.0.0.1", 80)
    with pytest.raises(Refused):
        hook.members(name)


def test_the_members_of_many_pools_come_with_one_call(
    hook: HaproxyHook, app: tuple[int, type[App]]
) -> None:
    """A pool that is not there has none: it must not hide the others."""
    join(hook, "vm1", app[0])
    hook.ensure_member("plain", "vm2", "127.0.0.1", app[0])

    found = hook.members_of(["shop", "plain", "nowhere"])

    assert [(member.pool, member.name) for member in found] == [("plain", "vm2"), ("shop", "vm1")]
    assert hook.members_of([]) == ()


def test_no_socket_there_is_unreachable(connect: Connect, tmp_path: Path) -> None:
    """Airflow tries again: HAProxy may be starting."""
    hook = HaproxyHook(connect("haproxy", extra={"socket": str(tmp_path / "none.sock")}))

    with pytest.raises(Unreachable):
        hook.members("shop")


def test_a_connection_without_a_certificate_is_refused(connect: Connect) -> None:
    """The runtime API is never reached without one."""
    hook = HaproxyHook(connect("haproxy", host="127.0.0.1", extra={"ca_file": "/ca.pem"}))

    with pytest.raises(Refused, match="cert_file, key_file"):
        hook.members("shop")


@pytest.fixture
def guarded(balanced: Balanced, authority: Authority, tmp_path: Path) -> Iterator[int]:
    """Yield the port of the same runtime API behind mutual TLS."""
    certificate, key = authority.issue("lb")
    both = tmp_path / "lb.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    port, config = free_port(), tmp_path / "guard.cfg"
    config.write_text(GUARD.format(port=port, both=both, ca=authority.ca_file, to=balanced.socket))
    command = [program("haproxy"), "-db", "-q", "-f", str(config)]
    with running(command, tmp_path / "guard.log", lambda: listens(port)):
        yield port


def test_the_runtime_api_is_reached_over_mutual_tls(
    guarded: int, secured: dict[str, str], connect: Connect, app: tuple[int, type[App]]
) -> None:
    """The same verbs from another machine."""
    hook = HaproxyHook(connect("haproxy", host="127.0.0.1", port=guarded, extra=secured))

    join(hook, "vm0", app[0])

    assert hook.remove_member("shop", "vm0") is Outcome.REMOVED


def test_a_client_with_a_certificate_of_somebody_else_is_not_let_in(
    guarded: int, authority: Authority, tmp_path: Path, connect: Connect
) -> None:
    """It ends in the handshake."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    certificate, key = Authority(elsewhere).issue("airflow")
    files = {"cert_file": str(certificate), "key_file": str(key)}
    extra = {"ca_file": str(authority.ca_file), **files}
    hook = HaproxyHook(connect("haproxy", host="127.0.0.1", port=guarded, extra=extra))

    with pytest.raises(Unreachable):
        hook.members("shop")


def test_the_connection_type_picks_the_balancer(hook: HaproxyHook, connect: Connect) -> None:
    """And one that is no balancer is named."""
    assert isinstance(balancer_for(hook.conn_id), HaproxyHook)
    with pytest.raises(Missing, match="known: haproxy"):
        balancer_for(connect("icinga2"))


def test_the_test_button_shows_the_version(hook: HaproxyHook) -> None:
    """The connection form calls this."""
    worked, message = hook.test_connection()

    assert worked
    assert message.startswith("HAProxy 2.") or message.startswith("HAProxy 3.")
