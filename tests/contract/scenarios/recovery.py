"""VMs that fail, hang, are rebuilt, or are ended from a state of rest."""

from tests.contract import worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


def _vm(cloud: Cloud, recorded: int, name: str, extra: str = "") -> None:
    worlds.template(cloud)
    cloud.make_vm(recorded, name, extra=extra)
    cloud.place(recorded)


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def boot_that_fails_is_retried(cloud: Cloud) -> None:
    """BOOT_FAILURE, retry, then a guest that never answers to terminate: terminate-hard ends it."""
    cloud.switches.fail("boot", "bootfail-0")
    _vm(cloud, 11, "bootfail-0")
    cloud.until("vm-states/30-boot-failure")
    cloud.do("vm-actions/40-terminate-when-boot-failure-check-poweroff")
    cloud.do("vm-actions/41-recover-retry")
    cloud.until("vm-states/31-running-after-retry")
    cloud.switches.hang("shutdown", "bootfail-0")
    cloud.do("vm-actions/42-terminate-hanging-guest")
    cloud.until("vm-states/32-shutdown-hanging")
    cloud.do("vm-actions/43-terminate-hard-overrides")
    cloud.until("vm-states/33-done-after-hard")


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def shutdown_that_fails_returns_to_running(cloud: Cloud) -> None:
    """A failed shutdown leaves no ERROR at all, only 3/3 again; a failed epilog is a state."""
    _vm(cloud, 12, "shutfail-0")
    cloud.until_state(12, 3, 3)
    cloud.switches.slow("shutdown", "shutfail-0", 0.5)
    cloud.switches.fail("shutdown", "shutfail-0")
    cloud.do("vm-actions/44-terminate-shutdown-fails")
    cloud.until_state(12, 3, 12)
    cloud.until("vm-states/34-after-failed-shutdown")
    cloud.switches.clear()
    cloud.switches.fail("epilog", "shutfail-0")
    cloud.do("vm-actions/45-terminate-epilog-fails")
    cloud.until("vm-states/35-epilog-failure")
    cloud.do("vm-actions/46-recover-success-epilog")
    cloud.until_state(12, 6)


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def failed_vm_is_deleted_by_terminate(cloud: Cloud) -> None:
    """PROLOG_FAILURE: no resume, no unknown recovery, but a plain terminate deletes it."""
    cloud.switches.fail("prolog", "prologfail-1")
    _vm(cloud, 14, "prologfail-1")
    cloud.until("vm-states/36-prolog-failure")
    cloud.do_all(
        "vm-actions/47-resume-when-prolog-failure",
        "vm-actions/48-recover-bad-op",
        "vm-actions/49-terminate-when-prolog-failure",
    )
    cloud.until("vm-states/37-done-after-failure-terminate")


@scenario(Need.ADMIN, Need.HOSTS, Need.SWITCHES)
def hanging_poweroff_is_overridden(cloud: Cloud) -> None:
    """poweroff-hard is accepted in SHUTDOWN_POWEROFF."""
    _vm(cloud, 1255, "hang-0")
    cloud.until_state(1255, 3, 3)
    cloud.switches.hang("shutdown", "hang-0")
    cloud.ask_action("vm-actions/21-poweroff", "poweroff", 1255)
    cloud.until_state(1255, 3, 18)
    cloud.do("vm-actions/64-poweroff-hard-overrides-hanging-poweroff")
    cloud.until_state(1255, 8)


@scenario(Need.ADMIN, Need.HOSTS)
def recover_deletes_or_rebuilds(cloud: Cloud) -> None:
    """3 deletes a running VM; 4 rebuilds in place with the same id, name and address."""
    _vm(cloud, 13, "prologfail-0")
    cloud.make_vm(15, "recreate-0")
    cloud.place(15)
    for vm in (13, 15):
        cloud.until_state(vm, 3, 3)
    cloud.do("vm-actions/50-recover-delete-running")
    cloud.until_state(13, 6)
    before = _address(cloud, 15)
    cloud.do("vm-actions/51-recover-delete-recreate")
    cloud.until("vm-states/38-after-recreate")
    cloud.place(15)
    cloud.until("vm-states/39-running-after-recreate")
    assert _address(cloud, 15) == before
    cloud.do("vm-actions/52-terminate-hard-running")
    cloud.until_state(15, 6)


def _address(cloud: Cloud, vm: int) -> str | None:
    if not cloud.live:
        return None
    return cloud.document("one.vm.info", cloud.known.ids["vm", vm]).value("TEMPLATE/NIC/IP")


@scenario(Need.ADMIN, Need.HOSTS)
def ready_survives_everything(cloud: Cloud) -> None:
    """Deployed by hand from HOLD; READY is a plain attribute that oned never clears."""
    worlds.template(cloud)
    cloud.make_vm(1249, "manual-0", hold=True, extra='POOL="blue"')
    cloud.do("vm-actions/60-deploy-from-hold")
    cloud.until("vm-states/40-running-after-manual-deploy")
    cloud.ask("vm-update/01-merge", 1249, 'READY="YES"', 1)
    cloud.ask_action("vm-actions/21-poweroff", "poweroff", 1249)
    cloud.until_state(1249, 8)
    cloud.ask_action("vm-actions/25-resume-from-poweroff", "resume", 1249)
    cloud.until("vm-update/16-ready-survives-poweroff-resume")
    cloud.ask("vm-actions/51-recover-delete-recreate", 1249, 4)
    cloud.until("vm-update/17-ready-survives-delete-recreate")


@scenario(Need.ADMIN, Need.HOSTS)
def resting_vms_are_ended_by_terminate(cloud: Cloud) -> None:
    """POWEROFF, SUSPENDED and UNDEPLOYED take a plain terminate."""
    worlds.template(cloud)
    rests = {1252: ("poweroff", 8), 1253: ("suspend", 5), 1254: ("undeploy", 9)}
    for vm in rests:
        cloud.make_vm(vm, f"t{vm - 1252}")
        cloud.place(vm)
    for vm, (action, state) in rests.items():
        cloud.until_state(vm, 3, 3)
        cloud.ask_action("vm-actions/21-poweroff", action, vm)
        cloud.until_state(vm, state)
    cloud.do_all(
        "vm-actions/61-terminate-from-poweroff",
        "vm-actions/62-terminate-from-suspended",
        "vm-actions/63-terminate-from-undeployed",
    )
    for vm in rests:
        cloud.until_state(vm, 6)


@scenario(Need.ADMIN, Need.HOSTS)
def end_of_life_is_scheduled_on_a_running_vm(cloud: Cloud) -> None:
    """one.vm.schedadd shows in SCHED_ACTIONS and as plain fields; a lock shows too."""
    worlds.template(cloud)
    cloud.make_vm(1256, "te", hold=True)
    cloud.place(1256)
    cloud.until_state(1256, 3, 3)
    cloud.do_all("vm-actions/65-lock-use", "vm-actions/66-info-locked")
    cloud.ask("vm-update/15-unlock-done", 1256)
    cloud.do("vm-actions/71-schedadd")
    cloud.do(
        "vm-actions/72-info-with-sched-action", only=("SCHED_ACTIONS", "TEMPLATE/SCHED_ACTION")
    )
    cloud.do("vm-actions/73-terminate")
    cloud.until_state(1256, 6)
