"""The life of a VM."""

import re
from xml.etree.ElementTree import Element

import pytest

from lab.opennebula.xmlin import read_xml
from tests.lab_opennebula.conftest import Front, wait_until


def _xml(front: Front, vm: int) -> Element:
    return read_xml(front.do("one.vm.info", vm))


def test_held_vm_runs_and_ends(front: Front) -> None:
    """HOLD, PENDING, the scheduler's host, RUNNING, DONE; the address is free again."""
    vm = front.vm(hold=True)
    assert front.state(vm) == (2, 0)

    front.do("one.vm.action", "release", vm)
    front.until(vm, 3, 3)
    found = _xml(front, vm)
    assert found.findtext("DEPLOY_ID") == f"{found.findtext('.//HOSTNAME')}:vm-0:dummy"
    assert found.findtext("PREV_LCM_STATE") == "3"

    front.do("one.vm.action", "terminate", vm)
    front.until(vm, 6)
    assert _xml(front, vm).findtext(".//HISTORY/ACTION") == "27"
    assert "<USED_LEASES>0<" in front.do("one.vn.info", 0)


def test_context_is_expanded(front: Front) -> None:
    """$NAME and attributes of the extra template; TOKEN adds endpoint and VM id."""
    vm = front.vm("web-1", hold=True, extra='RELEASE="2.0"')

    context = {e.tag: e.text for e in _xml(front, vm).findall("./TEMPLATE/CONTEXT/*")}

    assert context["SET_HOSTNAME"] == "web-1"
    assert context["RELEASE"] == "2.0"
    assert context["VMID"] == str(vm)
    assert context["ETH0_IP"] == "192.168.0.7"
    assert context["ETH0_MAC"] == "02:00:c0:a8:00:07"


def test_terminate_is_refused_on_the_way(front: Front) -> None:
    """While it shuts down: 0x0800, "already on its way"; terminate-hard pulls the plug."""
    vm = front.running()
    front.switches.set("hang", "shutdown")
    front.do("one.vm.action", "terminate", vm)
    front.until(vm, 3, 12)

    code, text = front.refused("one.vm.action", "terminate", vm)
    assert code == 0x800
    assert text.endswith(f"Could not terminate VM {vm}, wrong state SHUTDOWN.")

    front.do("one.vm.action", "terminate-hard", vm)
    front.until(vm, 6)


def test_failed_boot_is_a_state_with_an_error(front: Front) -> None:
    """3/36; retry boots it, and ERROR stays."""
    front.switches.set("fail", "boot", times=1)
    vm = front.vm()
    front.until(vm, 3, 36)
    assert front.refused("one.vm.action", "poweroff", vm)[0] == 0x800

    front.do("one.vm.recover", vm, 2)
    front.until(vm, 3, 3)
    assert "DEPLOY: " in (_xml(front, vm).findtext("./USER_TEMPLATE/ERROR") or "")


def test_failed_vm_is_deleted_by_terminate(front: Front) -> None:
    """It is what an ordinary user may do with it."""
    front.switches.set("fail", "prolog", times=1)
    vm = front.vm()
    front.until(vm, 3, 39)

    front.do("one.vm.action", "terminate", vm)
    front.until(vm, 6)


def test_failed_shutdown_is_silent(front: Front) -> None:
    """RUNNING again, without an ERROR."""
    vm = front.running()
    front.switches.set("fail", "shutdown", times=1)

    front.do("one.vm.action", "terminate", vm)
    front.until(vm, 3, 3)
    assert _xml(front, vm).find("./USER_TEMPLATE/ERROR") is None


def test_poweroff_and_resume_stay_on_the_host(front: Front) -> None:
    """A new HISTORY record on the same host."""
    vm = front.running()
    front.do("one.vm.action", "poweroff", vm)
    front.until(vm, 8)
    front.do("one.vm.action", "resume", vm)
    front.until(vm, 3, 3)

    hosts = [e.text for e in _xml(front, vm).findall(".//HISTORY/HID")]
    assert hosts == ["0", "0"]


def test_recreated_vm_keeps_its_address(front: Front) -> None:
    """delete-recreate: same id, name and IP, placed again."""
    vm = front.running()
    address = _xml(front, vm).findtext(".//NIC/IP")

    front.do("one.vm.recover", vm, 4)
    wait_until(lambda: len(_xml(front, vm).findall(".//HISTORY")) == 2)
    front.until(vm, 3, 3)
    assert _xml(front, vm).findtext(".//NIC/IP") == address


def test_vm_ends_itself_at_its_time(front: Front) -> None:
    """SCHED_ACTION with +seconds: a net under VMs whose DAG died."""
    extra = 'SCHED_ACTION=[ACTION="terminate-hard",TIME="+1"]'
    vm = front.vm(hold=True, extra=extra)
    front.do("one.vm.deploy", vm, 0, False, -1)

    front.until(vm, 6)
    assert _xml(front, vm).findtext(".//HISTORY/ACTION") == "28"


def test_user_template_is_merged_or_replaced(front: Front) -> None:
    """1 merges, 0 replaces everything, labels included."""
    vm = front.vm(hold=True)
    front.do("one.vm.update", vm, 'READY="YES"', 1)
    assert {e.tag for e in _xml(front, vm).findall("./USER_TEMPLATE/*")} == {
        "LABELS", "READY", "RELEASE",
    }  # fmt: skip

    front.do("one.vm.update", vm, 'ONLY="this"', 0)
    assert [e.tag for e in _xml(front, vm).findall("./USER_TEMPLATE/*")] == ["ONLY"]
    assert front.refused("one.vm.update", vm, "A=[B=", 1)[0] == 0x800


@pytest.mark.parametrize("method", ["one.vmpool.info", "one.vmpool.infoextended"])
def test_pools_are_newest_first(front: Front, method: str) -> None:
    """And paged by offset, or by a range of ids."""
    for n in range(3):
        front.vm(f"vm-{n}", hold=True)

    def names(*params: int) -> list[str]:
        return re.findall("<NAME>(vm-.*?)</NAME>", front.do(method, *params))

    assert names(-2, -1, -1, -1) == ["vm-2", "vm-1", "vm-0"]
    assert names(-2, 1, -2, -1) == ["vm-1", "vm-0"]
    assert names(-2, 1, 1, -1) == ["vm-1"]
    assert names(-2, -1, -1, 3) == []


def test_short_form_hides_attributes_of_ours(front: Front) -> None:
    """A changed VM is shown anew in both forms: nothing stale comes from the cache."""
    vm = front.vm(hold=True)
    assert "READY" not in front.do("one.vmpool.infoextended", -2, -1, -1, -1)
    front.do("one.vm.update", vm, 'READY="YES"', 1)

    assert "READY" in front.do("one.vmpool.infoextended", -2, -1, -1, -1)
    assert "READY" not in front.do("one.vmpool.info", -2, -1, -1, -1)


def test_lock_stops_oneadmin_too(front: Front) -> None:
    """0x0200 "VM is locked"."""
    vm = front.vm(hold=True)
    front.do("one.vm.lock", vm, 1, False)

    assert front.refused("one.vm.action", "terminate", vm)[0] == 0x200
    front.do("one.vm.unlock", vm)
    front.do("one.vm.action", "terminate", vm)
    assert front.state(vm) == (6, 0)
