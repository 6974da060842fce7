"""The life of VM 10 of the recordings, from PENDING to DONE, and which action is legal when."""

from tests.contract import worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario

PENDING = ["poweroff", "suspend", "resume", "stop", "undeploy", "reboot", "resched"]


@scenario(Need.ADMIN)
def pending_vm_may_only_be_held_or_terminated(cloud: Cloud) -> None:
    """The whole PENDING and HOLD rows of the table of legal actions."""
    worlds.template(cloud)
    cloud.do_all("vm-actions/06-instantiate-no-host", "vm-states/03-pending")
    _hold_and_release(cloud)
    cloud.do("vm-actions/04-unknown-action", vm=10)
    cloud.do("vm-actions/48-recover-bad-op", vm=10)
    cloud.do("vm-actions/05-action-missing-vm")
    cloud.do("vm-actions/01-terminate-held", vm=10)
    cloud.until_state(10, 6)
    for action in ("poweroff", "hold", "release"):
        like = "vm-actions/03-poweroff-done"
        answer = cloud.ask_action(like, action, 10)
        assert "state DONE" in answer.value


def _hold_and_release(cloud: Cloud) -> None:
    cloud.do_all(
        "vm-actions/07-hold",
        "vm-actions/08-hold-when-held",
        "vm-actions/09-release",
        "vm-actions/10-release-when-pending",
        *(f"vm-actions/11-{action}-when-pending" for action in PENDING),
        "vm-actions/12-recover-when-pending",
    )


@scenario(Need.ADMIN, Need.HOSTS)
def life_from_pending_to_done(cloud: Cloud) -> None:
    """Each stable state in turn: its document, its history, the actions that it refuses."""
    _start(cloud)
    cloud.until("vm-states/07-running")
    _refused_while_running(cloud)
    cloud.do("vm-actions/21-poweroff")
    _powered_off(cloud)
    cloud.do("vm-actions/25-resume-from-poweroff")
    cloud.until("vm-states/12-running-after-poweroff")
    _suspend_stop_undeploy(cloud)
    cloud.do_all("vm-actions/32-reboot", "vm-states/18-after-reboot", "vm-actions/33-terminate")
    _done(cloud)


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def life_in_slow_motion(cloud: Cloud) -> None:
    """The transitional states, and that terminate is refused in PROLOG, BOOT, SHUTDOWN, EPILOG."""
    for step in ("prolog", "boot", "shutdown"):
        cloud.switches.slow(step, "pend-0")
    _start(cloud)
    cloud.until("vm-states/05-prolog")
    cloud.do_all(
        "vm-actions/13-terminate-when-prolog",
        "vm-actions/14-terminate-hard-when-prolog",
        "vm-actions/15-poweroff-when-prolog",
    )
    cloud.until("vm-states/06-boot")
    cloud.do("vm-actions/16-terminate-when-boot")
    cloud.until("vm-states/07-running")
    cloud.do("vm-actions/21-poweroff")
    cloud.until("vm-states/09-shutdown-poweroff")
    cloud.do("vm-actions/22-terminate-when-shutdown-poweroff")
    _powered_off(cloud)
    cloud.switches.slow("boot", "pend-0")
    cloud.do("vm-actions/25-resume-from-poweroff")
    cloud.until("vm-states/11-boot-poweroff")
    cloud.until("vm-states/12-running-after-poweroff")


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def terminate_on_its_way_is_refused_again(cloud: Cloud) -> None:
    """SHUTDOWN and EPILOG: the second terminate is an error that means "already on its way"."""
    _start(cloud)
    cloud.until_state(10, 3, 3)
    cloud.switches.slow("shutdown", "pend-0")
    cloud.switches.slow("epilog", "pend-0")
    cloud.do("vm-actions/33-terminate")
    # Recorded after four more placements: the history is longer there.
    cloud.until("vm-states/19-shutdown", ignore=("HISTORY_RECORDS",))
    cloud.do("vm-actions/34-terminate-again-when-shutdown")
    cloud.until("vm-states/20-epilog", ignore=("HISTORY_RECORDS",))
    cloud.do_all("vm-actions/35-terminate-when-epilog", "vm-actions/36-terminate-hard-when-epilog")
    cloud.until("vm-states/21-done", ignore=("HISTORY_RECORDS",))


def _start(cloud: Cloud) -> None:
    worlds.template(cloud)
    cloud.do("vm-actions/06-instantiate-no-host")
    cloud.place(10)


def _refused_while_running(cloud: Cloud) -> None:
    cloud.do_all(
        "vm-actions/17-hold-when-running",
        "vm-actions/18-resume-when-running",
        "vm-actions/19-resched",
        "vm-states/08-running-resched",
        "vm-actions/20-unresched",
    )
    answer = cloud.ask_action("vm-actions/17-hold-when-running", "release", 10)
    assert "state RUNNING" in answer.value


def _powered_off(cloud: Cloud) -> None:
    cloud.until("vm-states/10-poweroff")
    cloud.do_all(
        "vm-actions/23-poweroff-when-poweroff",
        "vm-actions/24-suspend-when-poweroff",
    )


def _suspend_stop_undeploy(cloud: Cloud) -> None:
    cloud.do("vm-actions/26-suspend")
    cloud.until("vm-states/14-suspended")
    cloud.do("vm-actions/27-resume-from-suspended")
    cloud.until_state(10, 3, 3)
    cloud.do("vm-actions/28-stop")
    cloud.until("vm-states/15-stopped")
    cloud.do("vm-actions/29-resume-from-stopped")
    cloud.place(10)
    cloud.until("vm-states/16-running-after-stop")
    cloud.do("vm-actions/30-undeploy")
    cloud.until("vm-states/17-undeployed")
    cloud.do("vm-actions/31-resume-from-undeployed")
    cloud.place(10)
    cloud.until_state(10, 3, 3)


def _done(cloud: Cloud) -> None:
    cloud.until("vm-states/21-done")
    cloud.do("vm-actions/37-update-when-done")
    cloud.do("vm-actions/02-terminate-done", vm=10)
    cloud.do("vm-pool/02-vmpool-info-done")
    cloud.do("vm-pool/25-vm-monitoring-of-done")
    # Nothing else of ours lives, so "all but DONE" shows nothing of ours.
    cloud.do("vm-pool/01-vmpool-info-all-not-done")
