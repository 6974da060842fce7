"""The balancer's answer to a member that stumbles, with a real HAProxy and a member of our own."""

from __future__ import annotations

import csv
import http.client
import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.lab_unit.haproxy_here import Balancer, balancer

__all__ = ["balancer"]


class Stumbling(http.server.BaseHTTPRequestHandler):
    """Every fifth request is answered 500."""

    protocol_version = "HTTP/1.1"
    served = 0

    def do_GET(self) -> None:
        type(self).served += 1
        self.send_response(500 if self.served % 5 == 0 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Quiet(http.server.ThreadingHTTPServer):
    """Does not mind that its peer is killed."""

    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@pytest.fixture
def port(balancer: Balancer) -> Iterator[int]:
    """The frontend's port, with the stumbling member as the only one behind it."""
    Stumbling.served = 0
    server = Quiet(("127.0.0.1", 0), Stumbling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"127.0.0.1:{server.server_port}"
    balancer.say(f"add server shop/weak {address} weight 100; set server shop/weak state ready")
    balancer.say("set server shop/shop-a-0 state maint")
    yield balancer.port
    balancer.crash()  # closes the connections that keep the server's threads
    server.shutdown()
    server.server_close()
    thread.join(5)


def answers(port: int, method: str, times: int) -> list[int]:
    """The status of so many requests on one connection."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    found = []
    for _ in range(times):
        line.request(method, "/")
        answer = line.getresponse()
        answer.read()
        found.append(answer.status)
    line.close()
    return found


def test_a_member_that_fails_now_and_then_is_asked_again(balancer: Balancer, port: int) -> None:
    """No client sees its 500; the member's retries show that there were some."""
    assert set(answers(port, "GET", 40)) == {200}

    rows = csv.DictReader(balancer.say("show stat").lstrip("# ").splitlines())
    weak = next(row for row in rows if row["svname"] == "weak")
    assert int(weak["wretr"]) >= 8


def test_a_post_is_never_repeated(balancer: Balancer, port: int) -> None:
    """It might be an order: better an error than two of them."""
    assert answers(port, "POST", 40).count(500) == 8
    assert Stumbling.served == 40
