"""The nftables hook against a real nft behind a real sshd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from include.facts import Entry
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.nftables import NftablesHook, error_for
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.firewalls import RealFirewall, firewall, me
from tests.plugins.snowmelt.hooks.servers import free_port

GROUP, NAME, ADDRESS = "web_vms", "shop-k3f7x2q-0.lab.test", "198.18.0.100"
OTHER = "shop-k3f7x2q-1.lab.test"

Hook = Callable[..., NftablesHook]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFirewall]:
    with firewall(tmp_path_factory.mktemp("firewall")) as real:
        yield real


@pytest.fixture
def real(machine: RealFirewall) -> RealFirewall:
    """The firewall with empty sets."""
    for name in (GROUP, "office"):
        machine.nft({"flush": {"set": {"family": "inet", "table": "central", "name": name}}})
    return machine


@pytest.fixture
def hook(real: RealFirewall, connect: Connect) -> Hook:
    """`hook(table=…)`: the hook, with another extra than the right one."""

    def make(port: int = real.port, login: str = me(), **extra: str) -> NftablesHook:
        given = real.extra(**extra)
        conn = connect("nftables", host="127.0.0.1", port=port, login=login, extra=given)
        return NftablesHook(conn)

    return make


def entry(address: str, name: str, group: str = GROUP) -> Entry:
    return Entry(group=group, address=address, name=name)


def test_an_address_is_let_in_under_its_name_and_shut_out_again(hook: Hook) -> None:
    firewall = hook()

    assert firewall.ensure_entry(GROUP, NAME, ADDRESS) is Outcome.CREATED
    assert firewall.entries([GROUP]) == (entry(ADDRESS, NAME),)
    assert firewall.remove_entries(GROUP, NAME) is Outcome.REMOVED
    assert firewall.entries([GROUP]) == ()


def test_sets_of_other_tables_are_not_ours(hook: Hook, real: RealFirewall) -> None:
    """nft shares none between tables, and lists those of all tables of a family as one."""
    other = {"family": "inet", "table": "nat"}
    names = (GROUP, "theirs")
    real.nft(
        {"add": {"table": {"family": "inet", "name": "nat"}}},
        *({"add": {"set": {**other, "name": name, "type": "ipv4_addr"}}} for name in names),
        {"add": {"element": {**other, "name": GROUP, "elem": ["198.18.0.9"]}}},
    )
    try:
        assert hook().ensure_entry(GROUP, NAME, ADDRESS) is Outcome.CREATED
        assert hook().entries([GROUP]) == (entry(ADDRESS, NAME),)
        with pytest.raises(Missing, match="theirs"):
            hook().ensure_entry("theirs", NAME, ADDRESS)
    finally:
        real.nft({"delete": {"table": {"family": "inet", "name": "nat"}}})


def test_twice_is_as_once(hook: Hook) -> None:
    firewall = hook()
    firewall.ensure_entry(GROUP, NAME, ADDRESS)

    assert firewall.ensure_entry(GROUP, NAME, ADDRESS) is Outcome.UNCHANGED
    firewall.remove_entries(GROUP, NAME)
    assert firewall.remove_entries(GROUP, NAME) is Outcome.UNCHANGED


def test_ten_at_once_are_as_one(hook: Hook) -> None:
    """Both tries of a task that ran twice, and its neighbours."""
    firewalls = [hook() for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(lambda f: f.ensure_entry(GROUP, NAME, ADDRESS), firewalls))

    assert outcomes.count(Outcome.CREATED) == 1
    assert firewalls[0].entries([GROUP]) == (entry(ADDRESS, NAME),)


def test_everything_in_the_groups_is_seen_also_what_was_written_by_hand(
    hook: Hook, real: RealFirewall
) -> None:
    real.add(GROUP, "198.18.0.7", {"elem": {"val": "198.18.0.8", "comment": "ask Bob"}})
    real.add("office", {"prefix": {"addr": "192.0.2.0", "len": 24}})
    real.add("office", {"range": ["198.51.100.3", "198.51.100.9"]})
    hook().ensure_entry(GROUP, NAME, ADDRESS)

    assert hook().entries([GROUP, "office"]) == (
        entry("192.0.2.0/24", "", "office"),
        entry("198.51.100.3-198.51.100.9", "", "office"),
        entry("198.18.0.7", ""),
        entry("198.18.0.8", "ask Bob"),
        entry(ADDRESS, NAME),
    )


@pytest.mark.parametrize(
    ("theirs", "error"),
    [
        (ADDRESS, Conflict),
        ({"elem": {"val": ADDRESS, "comment": OTHER}}, Busy),  # its VM may have gone a moment ago
    ],
)
def test_an_address_that_is_not_ours_stays(
    hook: Hook, real: RealFirewall, theirs: Any, error: type[SnowmeltError]
) -> None:
    real.add(GROUP, theirs)
    before = hook().entries([GROUP])

    with pytest.raises(error, match=ADDRESS):
        hook().ensure_entry(GROUP, NAME, ADDRESS)
    assert hook().remove_entries(GROUP, NAME) is Outcome.UNCHANGED
    assert hook().entries([GROUP]) == before


def test_all_that_stands_under_a_name_goes_or_one_address_alone(hook: Hook) -> None:
    firewall = hook()
    for last, name in ((100, NAME), (101, NAME), (102, NAME), (103, OTHER)):
        firewall.ensure_entry(GROUP, name, f"198.18.0.{last}")
    firewall.remove_entries(GROUP, NAME, "198.18.0.101")

    left = [e.address for e in firewall.entries([GROUP])]
    assert left == ["198.18.0.100", "198.18.0.102", "198.18.0.103"]
    firewall.remove_entries(GROUP, NAME)
    assert firewall.entries([GROUP]) == (entry("198.18.0.103", OTHER),)


def test_a_set_or_a_table_that_is_not_there_is_named(hook: Hook) -> None:
    with pytest.raises(Missing, match="no set db_vms"):
        hook().ensure_entry("db_vms", NAME, ADDRESS)
    with pytest.raises(Missing, match="no table ip nat"):
        hook(table="ip nat").entries([GROUP])


def test_a_table_without_its_family_is_refused_before_anything_is_asked(hook: Hook) -> None:
    with pytest.raises(Refused, match="table has to be a family and a name"):
        hook(table="central", port=free_port()).entries([GROUP])


def test_what_the_set_cannot_hold_is_refused_in_nfts_own_words(hook: Hook) -> None:
    with pytest.raises(SnowmeltError, match="nft ends with 1: internal"):
        hook().ensure_entry(GROUP, NAME, "2001:db8::1")


@pytest.fixture
def refusing(real: RealFirewall) -> Iterator[Path]:
    """Let the firewall's command fail as long as the file is there."""
    switch = real.folder / "fail"
    switch.touch()
    yield switch
    switch.unlink(missing_ok=True)


def test_a_command_that_fails_may_work_the_next_time(hook: Hook, refusing: Path) -> None:
    with pytest.raises(SnowmeltError) as caught:
        hook().ensure_entry(GROUP, NAME, ADDRESS)
    assert not isinstance(caught.value, Refused)
    refusing.unlink()

    assert hook().ensure_entry(GROUP, NAME, ADDRESS) is Outcome.CREATED


def test_a_lost_answer_is_found_to_have_worked(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    firewall, ask = hook(), NftablesHook._ask

    def lost(self: NftablesHook, command: dict[str, Any]) -> Any:
        answer = ask(self, command)
        if {"create", "delete"} & set(command):
            raise Unreachable("the connection went before the answer")
        return answer

    monkeypatch.setattr(NftablesHook, "_ask", lost)
    assert firewall.ensure_entry(GROUP, NAME, ADDRESS) is Outcome.UNCHANGED
    assert firewall.entries([GROUP]) == (entry(ADDRESS, NAME),)
    assert firewall.remove_entries(GROUP, NAME) is Outcome.UNCHANGED
    assert firewall.entries([GROUP]) == ()


def test_the_key_may_do_nothing_but_that(hook: Hook) -> None:
    """Whatever the Connection says is run there, `authorized_keys` decides."""
    assert hook(command="cat /etc/shadow").entries([GROUP]) == ()


def test_a_machine_that_is_away_may_come_back(hook: Hook) -> None:
    with pytest.raises(Unreachable):
        hook(port=free_port()).entries([GROUP])


def test_a_key_that_is_not_taken_is_not_tried_again(hook: Hook, real: RealFirewall) -> None:
    with pytest.raises(NotAllowed, match="does not take our key"):
        hook(key_file=str(real.folder / "strange")).entries([GROUP])


def test_another_machine_at_its_address_is_told_nothing(hook: Hook, real: RealFirewall) -> None:
    kind, key, *_ = (real.folder / "strange.pub").read_text().split()

    with pytest.raises(Refused, match="another host key"):
        hook(host_key=f"{kind} {key}").entries([GROUP])


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"key_file": ""}, "has no key_file"),
        ({"key_file": "/nowhere"}, "key_file /nowhere cannot be read"),
        ({"host_key": ""}, "has no host_key"),
        ({"host_key": "ssh-ed25519"}, "host_key: no host key"),
        ({"host_key": "ssh-ed25519 %%%"}, "host_key: no host key"),
    ],
)
def test_a_connection_with_a_wrong_field_names_it(
    hook: Hook, extra: dict[str, str], told: str
) -> None:
    with pytest.raises(Refused, match=told):
        hook(**extra).entries([GROUP])


def test_the_test_button_names_the_sets(hook: Hook) -> None:
    assert hook().test_connection() == (True, "sets: office, web_vms")
    assert hook(port=free_port()).test_connection()[0] is False


def test_the_connections_type_chooses_the_firewall(hook: Hook, connect: Connect) -> None:
    assert isinstance(firewall_for(hook().conn_id), NftablesHook)
    with pytest.raises(Missing, match="no firewall"):
        firewall_for(connect("haproxy"))


@pytest.mark.parametrize(
    ("code", "kind"), [(-1, Unreachable), (126, NotAllowed), (127, Missing), (2, Refused)]
)
def test_an_exit_code_means(code: int, kind: type[SnowmeltError]) -> None:
    assert type(error_for(code, "")) is kind
