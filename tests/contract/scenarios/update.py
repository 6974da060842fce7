"""Changing a living VM: attributes, name, context, lock, rights."""

from tests.contract import worlds
from tests.contract.cloud import Cloud
from tests.contract.registry import Need, scenario


@scenario(Need.ADMIN, Need.HOSTS)
def attributes_are_merged_or_replaced(cloud: Cloud) -> None:
    """one.vm.update: 1 merges, 0 replaces everything; a bad text is 0x0800 and changes nothing."""
    worlds.template(cloud)
    cloud.make_vm(16, "upd-0", extra='POOL="green"')
    cloud.place(16)
    cloud.until_state(16, 3, 3)
    cloud.do_all(
        "vm-update/01-merge",
        "vm-update/02-info",
        "vm-update/03-replace",
        "vm-update/04-info",
        "vm-update/05-merge-dict",
        "vm-update/06-info",
        "vm-update/07-bad-syntax",
        "vm-update/08-empty",
        "vm-update/09-rename",
        "vm-update/10-rename-bad-chars",
        "vm-update/11-updateconf",
    )
    # 3/17 passes in a moment; what was recorded in it stays.
    ignore = ("LCM_STATE", "PREV_LCM_STATE", "ETIME")
    cloud.do("vm-update/12-info-after-updateconf", ignore=ignore)
    cloud.until_state(16, 3, 3)
    cloud.do_all(
        "vm-update/13-lock", "vm-update/14-terminate-locked-by-admin", "vm-update/15-unlock-done"
    )


@scenario(Need.ADMIN)
def rights_of_a_vm_are_changed(cloud: Cloud) -> None:
    """one.vm.chmod takes nine numbers, -1 leaves a right as it is."""
    worlds.tiny(cloud)
    cloud.make_vm(16, "upd-0", template=2, hold=True)
    cloud.ask_as("one.vm.chmod", "users/14-chmod-template", 16, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    if cloud.live:
        rights = cloud.document("one.vm.info", cloud.known.ids["vm", 16]).child("PERMISSIONS")
        assert rights is not None
        assert "".join(child.text for child in rights.children) == "110100000"


@scenario()
def missing_vms_are_said_to_be_missing(cloud: Cloud) -> None:
    """Every call about one VM answers 0x0400 with the id that does not exist."""
    cloud.ask_missing("one.vm.info", 99999)
    cloud.ask_missing("one.vm.update", 99999, "A=1", 1)
    cloud.ask_missing("one.vm.updateconf", 99999, "CONTEXT=[A=1]", 0)
    cloud.ask_missing("one.vm.rename", 99999, "a")
    cloud.ask_missing("one.vm.recover", 99999, 2)
    cloud.ask_missing("one.vm.chmod", 99999, *[-1] * 9)
    cloud.ask_missing("one.vm.monitoring", 99999)
    cloud.ask_missing("one.image.info", 9999)
    cloud.ask_missing("one.vn.info", 9999)
    cloud.ask_missing("one.vn.hold", 9999, 'LEASES=[IP="10.0.0.1"]')
    cloud.ask_missing("one.vn.release", 9999, 'LEASES=[IP="10.0.0.1"]')
