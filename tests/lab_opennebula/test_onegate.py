"""What a guest may do."""

import http.client
import json

from tests.lab_opennebula.conftest import Front


def _put(front: Front, vm: int, token: str, body: str, path: str = "/vm") -> tuple[int, str]:
    return _ask(front, "PUT", path, {"X-ONEGATE-VMID": str(vm), "X-ONEGATE-TOKEN": token}, body)


def _ask(
    front: Front, method: str, path: str, headers: dict[str, str], body: str = ""
) -> tuple[int, str]:
    port = front.server.onegate.listener.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_guest_reports_ready(front: Front) -> None:
    """READY is a plain attribute of its user template; it can be deleted again."""
    vm = front.vm(hold=True)
    token = front.switches.token(vm)
    assert len(token) == 24

    assert _put(front, vm, token, "READY=YES") == (200, "")
    attributes = front.server.world.vms.get(vm).user_template
    assert attributes.text("READY") == "YES"
    assert _put(front, vm, token, "READY", "/vm?type=2") == (200, "")
    assert "READY" not in front.server.world.vms.get(vm).user_template


def test_who_has_no_token_is_refused(front: Front) -> None:
    """Wrong, missing, or another VM's."""
    vm, other = front.vm(hold=True), front.vm(hold=True)

    assert _put(front, vm, "AAAA", "READY=YES") == (401, "Not authorized")
    assert _put(front, vm, front.switches.token(other), "READY=YES")[0] == 401
    assert _ask(front, "PUT", "/vm", {}, "READY=YES")[0] == 401


def test_marks_of_oneflow_are_not_the_guests(front: Front) -> None:
    """403 with the name."""
    vm = front.vm(hold=True)

    got = _put(front, vm, front.switches.token(vm), "SERVICE_ID=7")

    assert got == (403, "Attribute (SERVICE_ID) cannot be modified")


def test_guest_reads_itself(front: Front) -> None:
    """Name, states, attributes, addresses."""
    vm = front.vm("web-0", hold=True)
    headers = {"X-ONEGATE-VMID": str(vm), "X-ONEGATE-TOKEN": front.switches.token(vm)}

    status, text = _ask(front, "GET", "/vm", headers)

    seen = json.loads(text)["VM"]
    assert status == 200
    assert (seen["NAME"], seen["STATE"]) == ("web-0", "2")
    assert seen["TEMPLATE"]["NIC"][0]["IP"] == "192.168.0.7"
