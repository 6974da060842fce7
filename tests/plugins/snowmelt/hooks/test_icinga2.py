"""The Icinga 2 hook against a real Icinga 2."""

from __future__ import annotations

import getpass
import grp
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.inventory import Monitored
from include.verdict import Outcome
from snowmelt.errors import Conflict, Missing, NotAllowed, SnowmeltError, Unreachable
from snowmelt.hooks.icinga2 import Icinga2Hook, error_for
from snowmelt.hooks.monitoring import Variables, monitoring_for
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.servers import free_port, listens, program, running, until
from tests.plugins.snowmelt.hooks.tls import Authority

CONFIG = """
const NodeName = "localhost"
const ZoneName = NodeName
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{ }}
object ApiListener "api" {{ bind_host = "127.0.0.1", bind_port = {port} }}
object ApiUser "snowmelt" {{ password = "secret", permissions = [ "*" ] }}
object ApiUser "reader" {{
  password = "secret"
  permissions = [ "objects/query/*", "templates/query/*" ]
}}
object CheckCommand "yes" {{ command = [ "/bin/echo", "fine" ] }}
object CheckCommand "no" {{ command = [ "/bin/sh", "-c", "echo broken; exit 2" ] }}
template Host "snowmelt-vm" {{ check_command = "yes", check_interval = 60s }}
apply Service "http" {{
  check_command = host.vars.broken == "yes" ? "no" : "yes"
  check_interval = 60s
  assign where host.vars.snowmelt_service
}}
"""
# Debian's /usr/sbin/icinga2 is a shell script around this.
PROGRAM = "/usr/lib/x86_64-linux-gnu/icinga2/sbin"
SECRET = "secret"
VARIABLES = {"snowmelt_service": "shop"}


@pytest.fixture(scope="module")
def icinga(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Yield port and CA file of one Icinga for all tests here; each uses a name of its own."""
    folder = tmp_path_factory.mktemp("icinga")
    certs = folder / "data" / "certs"
    for path in (certs, *(folder / name for name in ("etc", "cache", "run", "log", "spool"))):
        path.mkdir(parents=True)
    ca_file = _identity(folder, certs)
    port = free_port()
    config = folder / "icinga2.conf"
    config.write_text(CONFIG.format(port=port))
    command = [program("icinga2", PROGRAM), "daemon", "-c", str(config), *_settings(folder)]
    command[0] = f"{PROGRAM}/icinga2" if Path(PROGRAM).is_dir() else command[0]
    with running(command, folder / "icinga.log", lambda: listens(port)):
        yield port, ca_file


def _identity(folder: Path, certs: Path) -> Path:
    authority = Authority(folder)
    certificate, key = authority.issue("localhost")
    certificate.rename(certs / "localhost.crt")
    key.rename(certs / "localhost.key")
    ca_file = certs / "ca.crt"
    authority.ca_file.rename(ca_file)
    return ca_file


def _settings(folder: Path) -> list[str]:
    settings = {
        "ConfigDir": folder / "etc",
        "DataDir": folder / "data",
        "CacheDir": folder / "cache",
        "InitRunDir": folder / "run",
        "LogDir": folder / "log",
        "SpoolDir": folder / "spool",
        "RunAsUser": getpass.getuser(),
        "RunAsGroup": grp.getgrgid(os.getgid()).gr_name,
    }
    return [part for name, value in settings.items() for part in ("-D", f"{name}={value}")]


@pytest.fixture
def hook(icinga: tuple[int, Path], connect: Connect) -> Icinga2Hook:
    return hook_for(icinga, connect)


def hook_for(
    icinga: tuple[int, Path], connect: Connect, login: str = "snowmelt", password: str = SECRET
) -> Icinga2Hook:
    port, ca_file = icinga
    return Icinga2Hook(
        connect(
            "icinga2",
            host="127.0.0.1",
            port=port,
            login=login,
            password=password,
            extra={"ca_file": str(ca_file)},
        )
    )


@pytest.fixture
def name(request: pytest.FixtureRequest, hook: Icinga2Hook) -> Iterator[str]:
    """Yield a host name of this test alone, and remove the host afterwards."""
    own = f"{request.node.name.replace('_', '-')[:60]}.lab.test"
    yield own
    hook.remove_host(own)


def test_a_vm_is_monitored_with_the_checks_of_its_service(hook: Icinga2Hook, name: str) -> None:
    """Pending until the first result, ok afterwards."""
    assert hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES) is Outcome.CREATED

    hook.check_now(name)
    until(lambda: states(hook, name) == {"host": "ok", "http": "ok"})

    (health,) = hook.health([name])
    assert health.address == "127.0.0.1"
    assert health.checks[0].output == "fine"
    assert health.checks[0].checked_at is not None


def states(hook: Icinga2Hook, name: str) -> dict[str, str]:
    (health,) = hook.health([name])
    return {"host": health.host.state, **{check.name: check.state for check in health.checks}}


def test_a_check_that_fails_is_critical(hook: Icinga2Hook, name: str) -> None:
    """With what the plugin said."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", {**VARIABLES, "broken": "yes"})

    hook.check_now(name)
    until(lambda: states(hook, name)["http"] == "critical")

    assert hook.health([name])[0].checks[0].output == "broken"


def test_monitoring_twice_changes_nothing(hook: Icinga2Hook, name: str) -> None:
    """A retry finds the host."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES)

    assert hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES) is Outcome.UNCHANGED


def test_a_variable_keeps_its_type(hook: Icinga2Hook, name: str) -> None:
    """The text "False" would be true in an apply rule, and the text "9" not equal to 9."""
    variables: Variables = {**VARIABLES, "broken": False, "http_port": 9, "share": 0.5}
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", variables)

    assert hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", variables) is Outcome.UNCHANGED
    with pytest.raises(Conflict, match="broken"):
        hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", {**variables, "broken": "False"})


def test_another_try_that_was_faster_is_no_error(
    hook: Icinga2Hook, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It made the host between our look and our request."""
    look = Icinga2Hook._host
    looks: list[str] = []

    def first_look_finds_nothing(self: Icinga2Hook, asked: str) -> object:
        looks.append(asked)
        if len(looks) > 1:
            return look(self, asked)
        Icinga2Hook(self.conn_id)._create(asked, WANTED)
        return None

    monkeypatch.setattr(Icinga2Hook, "_host", first_look_finds_nothing)

    assert hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES) is Outcome.UNCHANGED


WANTED = {
    "address": "127.0.0.1",
    "template": "snowmelt-vm",
    "vars.snowmelt_service": "shop",
}


@pytest.mark.parametrize(
    ("address", "variables"),
    [("127.0.0.9", VARIABLES), ("127.0.0.1", {"snowmelt_service": "blog"})],
)
def test_a_host_of_our_name_that_is_different_is_a_conflict(
    hook: Icinga2Hook, name: str, address: str, variables: dict[str, str]
) -> None:
    """It stays as it is."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES)

    with pytest.raises(Conflict, match="wanted"):
        hook.ensure_host(name, address, "snowmelt-vm", variables)
    assert hook.health([name])[0].address == "127.0.0.1"


def test_an_unknown_template_is_missing_and_blocks_no_name(hook: Icinga2Hook, name: str) -> None:
    """Icinga itself would refuse every later host of that name until its restart."""
    with pytest.raises(Missing, match="'no-such-template'"):
        hook.ensure_host(name, "127.0.0.1", "no-such-template", VARIABLES)

    assert hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES) is Outcome.CREATED


def test_nothing_of_a_removed_host_is_left(hook: Icinga2Hook, name: str) -> None:
    """Neither host nor services; a second time nothing happens."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES)

    assert hook.remove_host(name) is Outcome.REMOVED

    assert hook.health([name]) == ()
    assert hook.remove_host(name) is Outcome.UNCHANGED


def test_hosts_are_found_by_their_service(hook: Icinga2Hook, name: str) -> None:
    """One that is not ours is not among them."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", {"snowmelt_service": "blog"})
    hook.ensure_host(f"foreign-{name}", "127.0.0.1", "snowmelt-vm", {})

    assert hook.hosts("blog") == (name,)
    assert name in hook.hosts()
    assert f"foreign-{name}" not in hook.hosts()
    assert hook.hosts("no-such-service") == ()
    hook.remove_host(f"foreign-{name}")


def test_the_inventory_has_every_host_that_says_it_is_ours(hook: Icinga2Hook, name: str) -> None:
    """With its address and its service, in one call."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", {"snowmelt_service": "blog"})
    hook.ensure_host(f"foreign-{name}", "127.0.0.1", "snowmelt-vm", {})

    assert Monitored(name=name, address="127.0.0.1", service="blog") in hook.inventory()
    assert f"foreign-{name}" not in {host.name for host in hook.inventory()}
    hook.remove_host(f"foreign-{name}")


def test_the_inventory_tells_since_when_a_host_is_down(hook: Icinga2Hook, name: str) -> None:
    """Not at the first check that failed, and not of one that was never checked."""
    hook.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES)
    assert _down_since(hook, name) is None
    _report(hook, name, 0)
    _report(hook, name, 1)
    assert _down_since(hook, name) is None
    before = datetime.now(UTC)
    for _ in range(2):
        _report(hook, name, 1)

    since = _down_since(hook, name)
    assert since is not None
    assert abs(since - before) < timedelta(seconds=10)


def _down_since(hook: Icinga2Hook, name: str) -> datetime | None:
    (since,) = (host.down_since for host in hook.inventory() if host.name == name)
    return since


def _report(hook: Icinga2Hook, name: str, exit_status: int) -> None:
    body = {
        "type": "Host",
        "filter": "host.name == name",
        "filter_vars": {"name": name},
        "exit_status": exit_status,
        "plugin_output": "told by a test",
    }
    hook._ask("POST", "/actions/process-check-result", body=body)


def test_a_host_that_is_not_there(hook: Icinga2Hook) -> None:
    """It has no health and cannot be checked."""
    assert hook.health(["nobody.lab.test"]) == ()
    with pytest.raises(Missing, match=r"nobody\.lab\.test"):
        hook.check_now("nobody.lab.test")


def test_a_user_without_rights_is_not_allowed(
    icinga: tuple[int, Path], connect: Connect, name: str
) -> None:
    """It may look and not change."""
    reader = hook_for(icinga, connect, login="reader")

    with pytest.raises(NotAllowed):
        reader.ensure_host(name, "127.0.0.1", "snowmelt-vm", VARIABLES)


def test_a_wrong_password_is_not_allowed(icinga: tuple[int, Path], connect: Connect) -> None:
    """The Test button says so."""
    worked, message = hook_for(icinga, connect, password="wrong").test_connection()

    assert not worked
    assert "401" in message


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_an_icinga_that_reloads_is_unreachable(status: int) -> None:
    """Airflow tries again."""
    error: SnowmeltError = error_for("PUT", status, "reloading")

    assert isinstance(error, Unreachable)


def test_the_connection_type_picks_the_monitoring(hook: Icinga2Hook) -> None:
    """The catalogue names a connection, never a product."""
    assert isinstance(monitoring_for(hook.conn_id), Icinga2Hook)
