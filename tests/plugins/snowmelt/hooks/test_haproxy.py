"""The HAProxy hook against a real HAProxy and a real application behind it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests

from include.verdict import Outcome
from snowmelt.errors import Busy, Missing, Refused, Unreachable
from snowmelt.hooks import haproxy, haproxy_socket
from snowmelt.hooks.haproxy import HaproxyHook
from snowmelt.hooks.haproxy_text import sticky_keys
from tests.plugins.snowmelt.hooks.balancer_contract import BalancerContract
from tests.plugins.snowmelt.hooks.balancer_rig import Rig
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.servers import (
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
    stats socket {socket}.user mode 600 level user
{defaults}
    mode http
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
    default-server inter 200ms rise 2 fall 2
    # BEGIN snowmelt members shop
    # END snowmelt members shop
backend plain
    balance leastconn
frontend twin
    bind unix@{socket}.twin
    default_backend twin
backend twin
    balance leastconn
"""
DEFAULTS = """
defaults
    timeout connect 2s
    timeout client 30s
    timeout server 30s
"""
GUARD = """
frontend runtime_api
    mode tcp
    bind 127.0.0.1:PORT ssl crt {folder}/lb.pem ca-file {folder}/ca.pem verify required
    default_backend runtime_api
backend runtime_api
    mode tcp
    server cli unix@{to}
"""
ROOT = Path(__file__).parents[4]
HOW_TO = ROOT / "docs" / "how-to" / "haproxy.md"
KEEPER = ROOT / "contrib" / "haproxy" / "snowmelt-members"


@dataclass
class Balanced:
    """A HAProxy of one test. What it has learnt at run time survives a restart as on a real one."""

    folder: Path
    url: str
    process: ExitStack = field(default_factory=ExitStack)

    @property
    def socket(self) -> Path:
        return self.folder / "admin.sock"

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = [program("haproxy"), "-db", "-q", "-f", str(self.folder / "haproxy.cfg")]
        log = self.folder / "haproxy.log"
        self.process.enter_context(running(command, log, self.socket.exists))

    def restart(self) -> None:
        files = ["--socket", str(self.socket), "--config", str(self.folder / "haproxy.cfg")]
        keeper = [sys.executable, str(KEEPER), "--haproxy", program("haproxy"), *files]
        subprocess.run([*keeper, "sync"], check=True)
        self.process.close()
        self.start()

    def get(self, path: str = "/", **cookies: str) -> requests.Response:
        return requests.get(self.url + path, cookies=cookies, timeout=30)


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    """Yield a running HAProxy without any server."""
    port = free_port()
    found = Balanced(tmp_path, f"http://127.0.0.1:{port}")
    (tmp_path / "haproxy.cfg").write_text(
        CONFIG.format(defaults=DEFAULTS, socket=found.socket, port=port)
    )
    with found.process:
        found.start()
        yield found


@pytest.fixture
def hook(balanced: Balanced, connect: Connect) -> HaproxyHook:
    return HaproxyHook(connect("haproxy", extra={"socket": str(balanced.socket)}))


@pytest.fixture
def rig(balanced: Balanced, hook: HaproxyHook, connect: Connect) -> Iterator[Rig]:
    """Yield what the tests of any balancer need."""
    user = {"socket": f"{balanced.socket}.user"}
    with application() as vm0, application() as vm1:
        yield Rig(
            conn_id=hook.conn_id,
            powerless_id=connect("haproxy", conn_id="powerless", extra=user),
            apps={"vm0": vm0, "vm1": vm1},
            get=balanced.get,
            by_hand=lambda: hook._do("add server shop/www1 127.0.0.1:80"),
            restart=balanced.restart,
            stop=balanced.process.close,
        )


class TestHaproxy(BalancerContract):
    """HAProxy in all situations that a balancer meets; below, those that are its own."""


def test_a_member_left_half_added_is_made_whole(rig: Rig, hook: HaproxyHook) -> None:
    """Killed right after "add server": it stands there in maintenance with weight 0."""
    hook._do(f"add server shop/vm0 127.0.0.1:{rig.apps['vm0'].port} check inter 200ms weight 0")

    rig.join("vm0")


def test_a_new_member_has_the_options_of_the_connection(
    balanced: Balanced, connect: Connect, rig: Rig
) -> None:
    """HAProxy's `default-server` is for those in its file only."""
    extra = {"socket": str(balanced.socket), "server_options": "maxconn 7 inter 300ms"}
    hook = HaproxyHook(connect("haproxy", conn_id="with_options", extra=extra))
    replace(rig, conn_id=hook.conn_id).join("vm0")

    assert hook._rows("shop")["vm0"]["slim"] == "7"


@pytest.mark.parametrize("options", ["maxconn 7; disable server shop/vm1", "maxconn 7\nshow info"])
def test_options_never_become_a_command(balanced: Balanced, connect: Connect, options: str) -> None:
    extra = {"socket": str(balanced.socket), "server_options": options}
    hook = HaproxyHook(connect("haproxy", extra=extra))

    with pytest.raises(Refused, match="test_haproxy: server_options"):
        hook.ensure_member("shop", "vm0", "127.0.0.1", 80)
    assert hook.members("shop") == ()


def test_an_undrained_member_serves_at_once(rig: Rig) -> None:
    """It was checked all the while, so nothing has to be waited for."""
    rig.join("vm0")
    rig.hook.drain("shop", "vm0")

    assert rig.hook.undrain("shop", "vm0") is Outcome.CREATED
    assert rig.get().status_code == 200
    assert rig.hook.undrain("shop", "vm0") is Outcome.UNCHANGED


def test_a_member_drained_by_weight_serves_at_once(rig: Rig, hook: HaproxyHook) -> None:
    """So it stands there after a reload with the configuration of a drained member."""
    rig.join("vm0")
    hook._do("set server shop/vm0 weight 0")
    assert rig.one("vm0").state == "drain"

    hook.undrain("shop", "vm0")

    assert rig.get().status_code == 200


def test_the_sessions_of_a_removed_member_are_forgotten(rig: Rig, hook: HaproxyHook) -> None:
    """And those of the others are kept, however many there are."""
    rig.join("vm0")
    for number in range(3):
        rig.get(SESSIONID=f"old{number}")
    rig.get()
    gone = sticky_keys(hook._table("shop"), "vm0")
    hook.drain("shop", "vm0")
    rig.join("vm1")
    rig.get()

    until(lambda: rig.removed("vm0"))

    table = hook._table("shop")
    assert gone
    assert sticky_keys(table, "vm0") == []
    assert sticky_keys(table, "vm1") != []


def test_sessions_that_outlived_their_member_are_forgotten(rig: Rig, hook: HaproxyHook) -> None:
    """One in use is not cleared: the member goes, and the next try has to find what is left."""
    rig.join("vm0")
    rig.get()
    hook._do("set server shop/vm0 state maint")
    until(lambda: deleted(hook, "vm0"))
    assert sticky_keys(hook._table("shop"), "vm0")

    assert hook.remove_member("shop", "vm0") is Outcome.UNCHANGED

    assert sticky_keys(hook._table("shop"), "vm0") == []


def test_of_several_commands_the_one_that_failed_is_told(rig: Rig, hook: HaproxyHook) -> None:
    """HAProxy does the others all the same, and its answers do not say whose they are."""
    rig.join("vm0")

    with pytest.raises(Missing, match="No such server"):
        hook._do("set server shop/vm9 state ready", "set server shop/vm0 state drain")

    assert rig.one("vm0").state == "drain"


def test_a_member_that_another_try_has_just_added_serves(rig: Rig, hook: HaproxyHook) -> None:
    """Its health is proved once more, and it is the same member."""
    rig.join("vm0")

    hook._add("shop", "vm0", "127.0.0.1", rig.apps["vm0"].port)

    until(lambda: rig.one("vm0").state == "up")


def deleted(hook: HaproxyHook, name: str) -> bool:
    try:
        hook._do(f"del server shop/{name}")
    except Busy:
        return False
    return True


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


@pytest.mark.parametrize("name", ["vm0;shutdown frontend fe", "vm0\nclear counters all", ""])
def test_a_name_never_becomes_a_command(hook: HaproxyHook, name: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(Refused):
        hook.ensure_member("shop", name, "127.0.0.1", 80)
    with pytest.raises(Refused):
        hook.members(name)


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


@contextmanager
def front_end(text: str, folder: Path, authority: Authority) -> Iterator[int]:
    """Run a HAProxy that lets its runtime API, or another's, out by TLS; yield its port."""
    certificate, key = authority.issue("lb")
    (folder / "lb.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    port, config = free_port(), folder / "guard.cfg"
    config.write_text(DEFAULTS + text.replace("PORT", str(port)))
    command = [program("haproxy"), "-db", "-q", "-f", str(config)]
    with running(command, folder / "guard.log", lambda: listens(port)):
        yield port


@pytest.fixture
def guarded(balanced: Balanced, authority: Authority) -> Iterator[int]:
    """Yield the port of the same runtime API behind mutual TLS."""
    text = GUARD.format(folder=balanced.folder, to=balanced.socket)
    with front_end(text, balanced.folder, authority) as port:
        yield port


def test_the_runtime_api_is_reached_over_mutual_tls(
    guarded: int, secured: dict[str, str], connect: Connect, rig: Rig
) -> None:
    """The same verbs from another machine."""
    conn_id = connect("haproxy", conn_id="far", host="127.0.0.1", port=guarded, extra=secured)

    replace(rig, conn_id=conn_id).join("vm0")

    assert HaproxyHook(conn_id).remove_member("shop", "vm0") is Outcome.REMOVED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the root folder")
def test_the_how_to_works_where_haproxy_is_jailed(
    authority: Authority, secured: dict[str, str], connect: Connect, tmp_path: Path
) -> None:
    """With chroot and user as a packaged HAProxy has them; the configuration is the document's."""
    (tmp_path / "jail").mkdir(mode=0o755)
    blocks = re.findall(r"```\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    (text,) = (block for block in blocks if "runtime_api" in block)
    for place, here in {
        "/var/lib/haproxy": f"{tmp_path}/jail",
        "/run/haproxy": str(tmp_path),
        "/etc/haproxy": str(tmp_path),
        ":9443": "127.0.0.1:PORT",
    }.items():
        assert place in text
        text = text.replace(place, here)
    certificate, key = authority.issue("snowmelt.example.org")
    named = {**secured, "cert_file": str(certificate), "key_file": str(key)}

    with front_end(text, tmp_path, authority) as port:
        for extra, let_in in ((named, True), (secured, False)):
            hook = HaproxyHook(connect("haproxy", host="127.0.0.1", port=port, extra=extra))
            worked, message = hook.test_connection()
            assert worked is let_in, message


def test_a_front_end_that_cannot_open_the_socket_says_what_to_look_at(
    authority: Authority, secured: dict[str, str], connect: Connect, tmp_path: Path
) -> None:
    """All that comes from there is the end of the connection."""
    text = GUARD.format(folder=tmp_path, to=tmp_path / "outside.sock")
    with front_end(text, tmp_path, authority) as port:
        hook = HaproxyHook(connect("haproxy", host="127.0.0.1", port=port, extra=secured))

        with pytest.raises(Unreachable, match=r"chroot.*docs/how-to/haproxy\.md"):
            hook.members("shop")


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


def test_the_test_button_shows_the_version(hook: HaproxyHook) -> None:
    """The connection form calls this."""
    worked, message = hook.test_connection()

    assert worked
    assert message.startswith("HAProxy 2.") or message.startswith("HAProxy 3.")
