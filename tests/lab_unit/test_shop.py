"""The web program, as `shop` and as `accounts`."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.lab_unit.programs import Client, Start, free_port, needs_ruby, start

__all__ = ["start"]
pytestmark = needs_ruby


@contextmanager
def answering(asked: list[str]) -> Iterator[int]:
    """A server that knows everybody and notes what it was asked; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_session_follows_its_cookie(start: Start) -> None:
    """The first answer is to a new customer, the next ones to the same old one."""
    client = start("web")
    host = socket.gethostname()

    assert client.get() == (200, f"{host} 1.0 1 new")
    assert client.get() == (200, f"{host} 1.0 2 old")
    client.cookie = ""
    assert client.get() == (200, f"{host} 1.0 1 new")


def test_a_cookie_of_another_member_is_a_lost_session(start: Start) -> None:
    """Which is how a client notices that its session did not survive."""
    client = start("web")
    client.cookie = "SESSIONID=00000000deadbeef"

    assert client.get()[1].endswith("1 new")


def test_health_and_version_name_the_release(start: Start) -> None:
    """Neither makes a session."""
    client = start("web", release="1.1")

    assert client.get("/health") == (200, "1.1")
    assert client.get("/version") == (200, "1.1")
    assert client.cookie == ""


def test_release_1_2_loses_its_health_soon_after_the_start(start: Start) -> None:
    """Healthy at first, 503 after the set time."""
    client = start("web", fail_health_after=0.8)

    assert client.get("/health")[0] == 200
    time.sleep(0.9)
    assert client.get("/health")[0] == 503


def test_release_1_4_is_fine_with_few_customers(start: Start) -> None:
    """However many requests they make."""
    client = start("web", error_every=5, crowd=3)

    assert {client.get()[0] for _ in range(50)} == {200}


def test_release_1_4_stumbles_with_many_customers(start: Start) -> None:
    """One request in so many, once more sessions are active than the set number."""
    client = start("web", error_every=5, crowd=3)
    customers = [Client(client.port) for _ in range(4)]
    for customer in customers:
        customer.get()

    answers = Counter(customers[0].get()[0] for _ in range(50))

    assert answers == {200: 40, 500: 10}
    for customer in customers:
        customer.line.close()


def test_a_shop_that_was_not_told_about_accounts_asks_nobody(start: Start) -> None:
    """The demo has no accounts: the package's own settings leave it out."""
    assert start("web", accounts_url="").get()[0] == 200


def test_the_site_tells_the_shop_to_ask_accounts_at_the_start_of_each_session(
    start: Start,
) -> None:
    """Once per session: what comes later in it does not need accounts."""
    asked: list[str] = []
    with answering(asked) as port:
        shop = start("web", site={"accounts_url": f"http://127.0.0.1:{port}/account?of=shop"})
        answers = [shop.get(), shop.get()]
        shop.cookie = ""
        answers.append(shop.get())

    assert [body.split()[3] for _, body in answers] == ["new", "old", "new"]
    assert asked == ["/account?of=shop", "/account?of=shop"]


def test_what_services_ask_accounts_makes_no_session(start: Start) -> None:
    """A drain of accounts need not wait for the shop's questions."""
    accounts = start("web", release="1.1")

    assert accounts.get("/account") == (200, f"{socket.gethostname()} 1.1")
    assert accounts.cookie == ""


def test_the_client_notices_when_accounts_is_away(start: Start) -> None:
    """502 and no session, so that the next click asks again; the shop itself stays healthy."""
    shop = start("web", site={"accounts_url": f"http://127.0.0.1:{free_port()}/account"})

    status, body = shop.get()

    assert (status, body) == (502, "accounts did not answer: Errno::ECONNREFUSED")
    assert shop.cookie == ""
    assert shop.get("/health") == (200, "1.0")


def test_the_client_notices_when_accounts_fails(start: Start) -> None:
    """Whatever accounts answers but 200 is no answer."""
    accounts = start("web", fail_health_after=0)
    shop = start("web", site={"accounts_url": f"http://127.0.0.1:{accounts.port}/health"})

    assert shop.get() == (502, "accounts answered 503")
