"""Placement: windows, capacity, and VMs that wait for ever without an error."""

import time

from tests.contract import worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario

WINDOW_LENGTH = 7  # SCHED_MAX_WND_LENGTH: so many waiting VMs open the window at once
DUMMY_HOST = r'SCHED_REQUIREMENTS="HYPERVISOR=\"dummy\""'
AT_ONCE = 8.0  # seconds: less than SCHED_MAX_WND_TIME (10), more than seven placements take


@scenario(Need.ADMIN, Need.HOSTS)
def what_never_fits_waits_and_says_why(cloud: Cloud) -> None:
    """No error at instantiate, PENDING for ever, and the reason in SCHED_MESSAGE only."""
    worlds.tiny(cloud)
    cloud.do_all("errors/07-too-big-instantiate", "errors/08-unsatisfiable-requirements")
    cloud.until_value("one.vm.info", cloud.known.ids["vm", 22], "USER_TEMPLATE/SCHED_MESSAGE")
    cloud.until_value("one.vm.info", cloud.known.ids["vm", 23], "USER_TEMPLATE/SCHED_MESSAGE")
    cloud.do_all("errors/11-too-big-after-scheduling", "errors/12-unsatisfiable-after-scheduling")
    cloud.do_all("errors/13-manual-deploy-over-capacity", "errors/14-manual-deploy-unknown-host")
    cloud.ask_missing("one.vm.deploy", 99999, 0, False, -1)
    cloud.do("errors/15-hostpool-info-with-vms", only=("STATE", "VM_MAD", "IM_MAD"))


@scenario(Need.ADMIN, Need.HOSTS)
def seven_waiting_vms_are_placed_at_once(cloud: Cloud) -> None:
    """The batch size that the product uses; one VM alone would wait for the window of 10 s."""
    worlds.tiny(cloud)
    first = 100
    vms = range(first, first + WINDOW_LENGTH)
    for vm in vms:
        cloud.make_vm(vm, f"batch-{vm}", template=2, extra=DUMMY_HOST)
    begin = time.monotonic()
    for vm in vms:
        cloud.until_state(vm, 3, 3)
    assert time.monotonic() - begin < AT_ONCE


@scenario(Need.ADMIN, Need.HOSTS)
def one_waiting_vm_is_placed_by_the_scheduler(cloud: Cloud) -> None:
    """From HOLD by release, without deploy: the way of the product. SCHED_MESSAGE is gone then."""
    worlds.template(cloud)
    cloud.do_all("vm-actions/06-instantiate-no-host", "vm-actions/07-hold", "vm-actions/09-release")
    cloud.until("vm-states/07-running")


@scenario(Need.ADMIN, Need.OWN)
def no_host_enabled_is_no_error(cloud: Cloud) -> None:
    """With all hosts disabled a VM stays PENDING and says so; terminate ends it at once."""
    worlds.template(cloud)
    _all_hosts(cloud, "1")
    try:
        cloud.do("vm-actions/06-instantiate-no-host")
        cloud.until_value("one.vm.info", cloud.known.ids["vm", 10], "USER_TEMPLATE/SCHED_MESSAGE")
        cloud.do("vm-states/04-pending-sched-message")
    finally:
        _all_hosts(cloud, "0")


def _all_hosts(cloud: Cloud, status: str) -> None:
    for host in cloud.site.hosts if cloud.live else ():
        assert cloud.raw("one.host.status", host, int(status)).ok
