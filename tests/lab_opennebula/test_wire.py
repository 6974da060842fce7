"""HTTP and XML-RPC as xmlrpc-c speaks them."""

import http.client
import socket
import threading
import time

import pytest

from tests.lab_opennebula.conftest import PASSWORD, Front

BODY = (
    "<?xml version='1.0'?><methodCall><methodName>{}</methodName><params><param><value><string>"
    f"oneadmin:{PASSWORD}</string></value></param>{{}}</params></methodCall>"
)


def test_answer_is_the_recorded_bytes(empty: Front) -> None:
    """CRLF line ends, i4, three elements."""
    got = empty.post(BODY.format("one.system.version", "").encode())

    assert got == (
        b'<?xml version="1.0" encoding="UTF-8"?>\r\n<methodResponse>\r\n<params>\r\n'
        b"<param><value><array><data>\r\n<value><boolean>1</boolean></value>\r\n"
        b"<value><string>7.4.0</string></value>\r\n<value><i4>0</i4></value>\r\n"
        b"</data></array></value></param>\r\n</params>\r\n</methodResponse>\r\n"
    )


def test_failure_has_five_elements(empty: Front) -> None:
    """The fourth names the missing object, the fifth is an i8."""
    answer = empty.ask("one.vm.info", 99)

    assert answer == [False, "[one.vm.info] Error getting virtual machine [99].", 0x400, 99, -1]


@pytest.mark.parametrize(
    ("method", "params", "code", "text"),
    [
        ("one.system.nosuchmethod", "", -506, "Method 'one.system.nosuchmethod' not defined"),
        ("one.vm.info", "", -501, "Not enough parameters"),
        (
            "one.vm.info",
            "<param><value><string>abc</string></value></param>",
            -501,
            "Parameter that is supposed to be integer is not",
        ),
    ],
)
def test_faults(empty: Front, method: str, params: str, code: int, text: str) -> None:
    """Wrong calls are faults of XML-RPC, not failures of OpenNebula."""
    got = empty.post(BODY.format(method, params).encode()).decode()

    assert f"<i4>{code}</i4>" in got
    assert text in got


def test_body_that_is_no_xml(empty: Front) -> None:
    """HTTP 200 with fault -503."""
    assert b"-503" in empty.post(b"hello")


@pytest.mark.parametrize(
    ("request_line", "header", "status"),
    [
        ("GET /RPC2", "", 405),
        ("POST /nope", "Content-Length: 0", 404),
        ("POST /RPC2", "", 411),
    ],
)
def test_other_http(empty: Front, request_line: str, header: str, status: int) -> None:
    """Only POST with a length to /RPC2."""
    with socket.create_connection(("127.0.0.1", empty.port), timeout=5) as conn:
        lines = [f"{request_line} HTTP/1.1", "Host: x", header] if header else []
        lines = lines or [f"{request_line} HTTP/1.1", "Host: x"]
        conn.sendall("\r\n".join([*lines, "", ""]).encode())

        assert conn.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_connection_is_closed_after_one_call(empty: Front) -> None:
    """Also when the client asks for keep-alive."""
    connection = http.client.HTTPConnection("127.0.0.1", empty.port, timeout=5)
    body = BODY.format("one.system.version", "").encode()
    connection.request("POST", "/RPC2", body, {"Connection": "keep-alive"})
    answer = connection.getresponse()
    answer.read()
    connection.close()

    assert answer.getheader("Connection") == "close"


@pytest.mark.parametrize("session", ["oneadmin:wrong", "nobody:x", "nocolon"])
def test_who_is_not_let_in(empty: Front, session: str) -> None:
    """The same message for every reason."""
    empty.session = session

    code, text = empty.refused("one.system.version")

    assert (code, text.split("] ")[1]) == (0x100, "User couldn't be authenticated, aborting call.")


def test_fifteen_idle_connections_hold_up_the_sixteenth(empty: Front) -> None:
    """They are served one per worker; the next call waits until one lets go."""
    idle = [socket.create_connection(("127.0.0.1", empty.port)) for _ in range(15)]
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(empty.do("one.system.version")))
    caller.start()
    time.sleep(0.3)

    assert answers == []
    idle[0].close()
    caller.join(timeout=5)
    for conn in idle:
        conn.close()
    assert answers == ["7.4.0"]
    assert empty.switches.counters()["peak_connections"] == 15


def test_counters_count_calls(empty: Front) -> None:
    """Per method, and from zero again after a reset."""
    empty.do("one.system.version")
    empty.do("one.system.version")

    assert empty.switches.counters()["calls"] == {"one.system.version": 2}
    empty.switches.reset()
    assert empty.switches.counters()["calls"] == {}
