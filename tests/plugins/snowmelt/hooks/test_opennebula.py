"""The OpenNebula hook against recorded answers and a cloud on a real socket."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from include.facts import Scope, VmSpec
from include.inventory import Lease
from include.verdict import Outcome
from snowmelt.errors import (
    Busy,
    Conflict,
    Missing,
    Unreachable,
)
from snowmelt.hooks.opennebula import OpenNebulaHook
from tests.plugins.snowmelt.hooks.fake_one import (
    FakeCloud,
    FakeOne,
    LostAnswerError,
    RefusalError,
    recorded,
    recorded_value,
)

NAME = "shop-k3f7x2q-0"
OURS = f"<TEMPLATE><CONTEXT><SET_HOSTNAME>{NAME}.lab.test</SET_HOSTNAME></CONTEXT></TEMPLATE>"
SPEC = VmSpec(
    name=NAME,
    fqdn=f"{NAME}.lab.test",
    template="app",
    service="shop",
    rollout="k3f7x2q",
    slot=0,
    release="1.1",
    cpu=0.5,
    vcpu=1,
    memory_mb=256,
    context={"SNOWMELT_TOKEN": "not-for-logs"},
)


@pytest.fixture
def cloud(one: FakeOne) -> FakeCloud:
    return FakeCloud(one)


def test_the_constructor_reads_no_connection() -> None:
    """A DAG file can be parsed without any connection there."""
    assert OpenNebulaHook("does_not_exist").conn_id == "does_not_exist"


def test_the_version_is_asked_for_with_the_session_first(
    one: FakeOne, cloud_hook: OpenNebulaHook
) -> None:
    """The session is login and password."""
    one.answers["system.version"] = recorded("system_01-version")

    assert cloud_hook.test_connection() == (True, "OpenNebula 7.4.0")
    assert one.called("system.version") == [("airflow:pw",)]


def test_a_wrong_password_is_told_by_the_test_button(
    one: FakeOne, cloud_hook: OpenNebulaHook
) -> None:
    """The form shows the reason instead of a traceback."""
    one.answers["system.version"] = recorded("system_03-version-bad-password")

    worked, message = cloud_hook.test_connection()

    assert not worked
    assert "couldn't be authenticated" in message


def test_the_short_form_shows_names_phases_and_addresses(
    one: FakeOne, cloud_hook: OpenNebulaHook
) -> None:
    """Recorded pool: newest first on the wire, lowest id first here."""
    one.answers["vmpool.info"] = recorded("vm-pool_03-vmpool-info")

    vms = cloud_hook.vm_states()

    ids = [vm.vm_id for vm in vms]
    assert ids == sorted(ids)
    by_name = {vm.name: vm for vm in vms}
    assert by_name["pool-held"].phase == "held"
    assert by_name["pool-2"].state == "ACTIVE/RUNNING"
    assert by_name["pool-2"].host
    assert by_name["pool-2"].owner == "oneadmin"


@pytest.mark.parametrize(
    ("recording", "phase", "state", "message"),
    [
        ("vm-states_04-pending-sched-message", "pending", "PENDING", "Cannot dispatch VM"),
        ("vm-states_30-boot-failure", "failed", "ACTIVE/BOOT_FAILURE", "DEPLOY:"),
        ("vm-states_31-running-after-retry", "running", "ACTIVE/RUNNING", ""),
        ("vm-states_19-shutdown", "stopping", "ACTIVE/SHUTDOWN", ""),
        ("vm-states_02-done-never-deployed", "done", "DONE", ""),
    ],
)
def test_a_state_becomes_a_phase(
    one: FakeOne, cloud_hook: OpenNebulaHook, recording: str, phase: str, state: str, message: str
) -> None:
    """ERROR that stays after a successful retry (vm-states/31) is no message of a running VM."""
    one.answers["vm.info"] = recorded(recording)

    vm = cloud_hook.vm(1)

    assert (vm.phase, vm.state) == (phase, state)
    assert message in vm.message
    assert bool(message) == bool(vm.message)


def test_only_our_vms_are_in_the_fleet(cloud: FakeCloud, cloud_hook: OpenNebulaHook) -> None:
    """By name, or by the attribute when somebody named it differently."""
    cloud.add(NAME)
    cloud.add("somebody-else")
    cloud.add(
        "blog", "<TEMPLATE><SNOWMELT_SERVICE>blog</SNOWMELT_SERVICE></TEMPLATE>", state=3, lcm=3
    )

    assert [vm.name for vm in cloud_hook.vms()] == [NAME, "blog"]
    assert [vm.name for vm in cloud_hook.vms("blog")] == ["blog"]


def test_the_vms_of_one_service_are_found_by_their_names(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Whole, and only they cross the wire: a guard of a large fleet does not read all of it."""
    cloud.add(NAME)
    cloud.add("somebody-else")

    assert cloud_hook.vms_named(NAME.rsplit("-", 2)[0]) == cloud_hook.vms()
    assert cloud_hook.vms_named("blog") == ()
    assert [params[1:] for params in one.called("vmpool.infoset")] == [("100", True)]


def test_who_knows_which_vms_were_there_reads_only_those_and_what_came_since(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Twenty VMs of others, one of the service before them and one after."""
    old = cloud.add(NAME)
    for number in range(20):
        cloud.add(f"other-k3f7x2q-{number}")
    scope = Scope(ids=frozenset({old}), since=cloud_hook.next_id())
    new = cloud.add("shop-aaaaaaa-0")
    one.calls.clear()

    assert [vm.vm_id for vm in cloud_hook.vms_named("shop", scope)] == [old, new]
    assert [vm.vm_id for vm in cloud_hook.find("shop-aaaaaaa-0", scope)] == [new]
    assert [vm.vm_id for vm in cloud_hook.find(NAME, scope)] == [old]
    assert {params[1:] for params in one.called("vmpool.info")} == {(-2, 121, -1, -1)}


def test_a_block_of_ids_is_read_alone(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    for number in range(5):
        cloud.add(f"shop-k3f7x2q-{number}")

    assert [vm.vm_id for vm in cloud_hook.vm_states(101, 103)] == [101, 102, 103]
    assert one.called("vmpool.info")[-1][1:] == (-2, 101, 103, -1)


def test_the_next_id_is_above_that_of_a_vm_which_has_ended(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    assert cloud_hook.next_id() == 0
    cloud.add(NAME)
    cloud.set_state(cloud.add("somebody-else"), 6)

    assert cloud_hook.next_id() == 102


def test_an_earlier_try_since_the_plan_is_found_and_nothing_is_made_twice(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    cloud.add("somebody-else")
    spec = replace(SPEC, scope=Scope(since=cloud_hook.next_id()))
    first, _ = cloud_hook.ensure_vm(spec)

    again, outcome = cloud_hook.ensure_vm(spec)

    assert (again.vm_id, outcome) == (first.vm_id, Outcome.UNCHANGED)
    assert len(one.called("template.instantiate")) == 1


def test_a_new_vm_is_made_on_hold_and_then_released(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """The template's CONTEXT goes along: the one in the extra template replaces all of it."""
    vm, outcome = cloud_hook.ensure_vm(SPEC)

    assert outcome is Outcome.CREATED
    assert vm.phase == "pending"
    assert vm.context["SET_HOSTNAME"] == SPEC.fqdn
    assert vm.context["SNOWMELT_TOKEN"] == "not-for-logs"
    assert vm.context["SSH_PUBLIC_KEY"] == "$USER[SSH_PUBLIC_KEY]"
    assert vm.attributes["SNOWMELT_RELEASE"] == "1.1"
    ((_session, template_id, name, hold, _extra, _persistent),) = one.called("template.instantiate")
    assert (template_id, name, hold) == (0, NAME, True)


def test_an_empty_value_of_the_template_stays_empty(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """PASSWORD="" in its CONTEXT: the text "None" would be everybody's password."""
    template = recorded("templates_02-info").replace(
        b"&lt;TOKEN&gt;", b"&lt;PASSWORD/&gt;&lt;TOKEN&gt;"
    )
    one.answers["template.info"] = template
    vm, _ = cloud_hook.ensure_vm(SPEC)

    context = cloud.vms[vm.vm_id].find("TEMPLATE/CONTEXT")
    assert context is not None
    assert context.findtext("PASSWORD") == ""
    assert context.findtext("TOKEN") == "YES"
    assert "None" not in one.called("template.instantiate")[0][4]


def test_no_text_of_a_spec_shows_the_token() -> None:
    """Airflow logs arguments and errors."""
    assert "not-for-logs" not in repr(SPEC)


def test_a_second_try_finds_what_the_first_one_left(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """A retry after a kill makes nothing."""
    first, _ = cloud_hook.ensure_vm(SPEC)

    second, outcome = cloud_hook.ensure_vm(SPEC)

    assert (second.vm_id, outcome) == (first.vm_id, Outcome.UNCHANGED)
    assert len(one.called("template.instantiate")) == 1


def test_a_vm_left_on_hold_by_a_killed_task_is_released(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Killed between instantiate and release."""
    held = cloud.add(NAME, OURS)

    vm, outcome = cloud_hook.ensure_vm(SPEC)

    assert (vm.vm_id, vm.phase, outcome) == (held, "pending", Outcome.UNCHANGED)


def test_the_answer_to_instantiate_is_lost_after_the_effect(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Still one VM, and the same task goes on with it."""

    def lose(_vm_id: int) -> None:
        raise LostAnswerError

    cloud.after_instantiate = lose

    vm, outcome = cloud_hook.ensure_vm(SPEC)

    assert outcome is Outcome.CREATED
    assert list(cloud.vms) == [vm.vm_id]


def test_the_answer_to_instantiate_is_lost_before_the_effect(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Nothing was made: Airflow tries again."""

    def lose() -> None:
        raise LostAnswerError

    cloud.before_instantiate = lose

    with pytest.raises(Unreachable):
        cloud_hook.ensure_vm(SPEC)


def test_two_tries_at_the_same_time_keep_the_lowest_id(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Another try made its VM between our look and our instantiate."""

    def other_try() -> None:
        cloud.add(NAME, OURS)

    cloud.before_instantiate = other_try

    vm, _ = cloud_hook.ensure_vm(SPEC)

    assert vm.vm_id == 100
    assert {vm_id: cloud.state(vm_id)[0] for vm_id in cloud.vms} == {100: 1, 101: 6}


def test_many_tries_at_the_same_time_leave_one_vm(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Six threads run the same task; each of them gets the same VM."""
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda: got.append(cloud_hook.ensure_vm(SPEC)[0].vm_id))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    alive = [vm_id for vm_id in cloud.vms if cloud.state(vm_id)[0] != 6]
    assert len(alive) == 1
    assert got == alive * 6


def test_a_running_twin_is_never_terminated(cloud: FakeCloud, cloud_hook: OpenNebulaHook) -> None:
    """Only a twin on hold is known to have run nothing."""
    cloud.add(NAME, OURS)
    running = cloud.add(NAME, OURS, state=3, lcm=3)

    cloud_hook.ensure_vm(SPEC)

    assert cloud.state(running) == (3, 3)


def test_a_vm_of_another_user_under_our_name_is_a_conflict(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """It is neither adopted nor touched."""
    cloud.owner = "mallory"
    foreign = cloud.add(NAME, OURS)

    with pytest.raises(Conflict, match="mallory"):
        cloud_hook.ensure_vm(SPEC)
    assert cloud.state(foreign) == (2, 0)


def test_a_hand_made_vm_under_our_name_is_a_conflict(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Same user, and yet not made by us: its context has another host name."""
    cloud.add(NAME)

    with pytest.raises(Conflict):
        cloud_hook.ensure_vm(SPEC)


def test_a_vm_of_this_name_that_is_still_going_away_is_waited_for(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """Busy is retried."""
    cloud.add(NAME, OURS, state=3, lcm=12)

    with pytest.raises(Busy):
        cloud_hook.ensure_vm(SPEC)


def test_an_unknown_template_is_named_with_those_that_exist(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """The message alone lets somebody correct the catalogue."""
    spec = replace(SPEC, template="ap")

    with pytest.raises(Missing, match="'ap'; there is: app, app-xml, tiny"):
        cloud_hook.ensure_vm(spec)


def test_networks_are_sent_by_id(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """A network name alone means one of the user's own networks to oned."""
    spec = replace(SPEC, networks=("app-net",))

    cloud_hook.ensure_vm(spec)

    extra = one.called("template.instantiate")[0][4]
    assert "<NIC><NETWORK_ID><![CDATA[0]]></NETWORK_ID></NIC>" in extra


def test_opennebula_itself_ends_a_vm_that_has_an_end(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """It does so also when nobody of ours is there any more."""
    cloud_hook.ensure_vm(replace(SPEC, ends_at=1_800_000_000))

    extra = one.called("template.instantiate")[0][4]
    assert (
        "<SCHED_ACTION><ACTION><![CDATA[terminate-hard]]></ACTION>"
        "<TIME><![CDATA[1800000000]]></TIME></SCHED_ACTION>"
    ) in extra


def test_a_vm_without_an_end_has_no_planned_action(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    cloud_hook.ensure_vm(SPEC)

    assert "SCHED_ACTION" not in one.called("template.instantiate")[0][4]


def test_an_unknown_network_is_missing(cloud: FakeCloud, cloud_hook: OpenNebulaHook) -> None:
    """Nothing is made."""
    spec = replace(SPEC, networks=("nowhere",))

    with pytest.raises(Missing, match="nowhere"):
        cloud_hook.ensure_vm(spec)
    assert not cloud.vms


@pytest.fixture
def networks(one: FakeOne, cloud: FakeCloud) -> FakeOne:
    """Have one network with a held address, one with addresses of VMs 100, 101 and 27."""
    cloud.add(NAME, OURS, state=3, lcm=3)
    cloud.add(NAME, OURS, state=6)
    used = recorded_value("vnets_27-vnpool-info").replace(
        "<USED_LEASES>0</USED_LEASES>", "<USED_LEASES>1</USED_LEASES>", 2
    )
    details = {5: "vnets_06-info-held", 4: "vnets_30-info-with-leases"}
    one.answers["vnpool.info"] = lambda _: used
    one.answers["vn.info"] = lambda params: (
        recorded_value(details[params[0]]).replace("[25]", "[100]").replace("[26]", "[101]")
    )
    return one


HELD = Lease(network="app-net", address="192.168.0.9")


def test_addresses_that_serve_no_vm_are_found_in_networks_that_are_in_use(
    networks: FakeOne, cloud_hook: OpenNebulaHook
) -> None:
    """Held, of a VM that is DONE, of one whose record was purged; not of one that runs.

    The list has no leases; a network that nobody uses is not asked for.
    """
    assert cloud_hook.held_leases() == (
        HELD,
        Lease(network="eth-net", address="02:00:39:db:79:90", vm_id=101),
        Lease(network="eth-net", address="02:00:39:db:79:91", vm_id=27),
    )
    assert [params[1] for params in networks.called("vn.info")] == [5, 4]


def test_the_address_of_a_vm_that_we_may_not_look_at_is_in_use(
    networks: FakeOne, cloud_hook: OpenNebulaHook
) -> None:
    """It may run, as far as we can know."""

    def hidden(_params: object) -> str:
        raise RefusalError(0x0200, "[one.vm.info] Not authorized to perform USE VM.")

    networks.answers["vm.info"] = hidden

    assert cloud_hook.held_leases() == (HELD,)


def test_terminating_a_running_vm_is_accepted(cloud: FakeCloud, cloud_hook: OpenNebulaHook) -> None:
    """And a second time it is already on its way."""
    vm_id = cloud.add(NAME, OURS, state=3, lcm=3)

    assert cloud_hook.terminate(vm_id) is Outcome.REMOVED
    assert cloud.state(vm_id) == (3, 12)
    assert cloud_hook.terminate(vm_id) is Outcome.UNCHANGED


@pytest.mark.parametrize("lcm", [1, 2])
def test_a_vm_that_is_starting_cannot_be_terminated_yet(
    cloud: FakeCloud, cloud_hook: OpenNebulaHook, lcm: int
) -> None:
    """PROLOG and BOOT pass by themselves."""
    vm_id = cloud.add(NAME, OURS, state=3, lcm=lcm)

    with pytest.raises(Busy):
        cloud_hook.terminate(vm_id)


def test_terminating_what_is_gone_succeeds(cloud: FakeCloud, cloud_hook: OpenNebulaHook) -> None:
    """DONE, or an id that never was."""
    done = cloud.add(NAME, OURS, state=6)

    assert cloud_hook.terminate(done) is Outcome.UNCHANGED
    assert cloud_hook.terminate(4711) is Outcome.UNCHANGED


def test_the_plug_is_pulled_on_request(
    one: FakeOne, cloud: FakeCloud, cloud_hook: OpenNebulaHook
) -> None:
    """The name of the action comes before the id."""
    vm_id = cloud.add(NAME, OURS, state=3, lcm=3)

    cloud_hook.terminate(vm_id, hard=True)

    assert one.called("vm.action") == [("airflow:pw", "terminate-hard", vm_id)]
