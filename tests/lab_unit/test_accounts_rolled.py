"""A shop whose accounts are rolled meanwhile: real programs, with a real HAProxy between them."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from tests.lab_unit.haproxy_here import Balancer, balancer
from tests.lab_unit.programs import Client, Start, needs_ruby, start

__all__ = ["balancer", "start"]
pytestmark = needs_ruby


@pytest.fixture
def shop(balancer: Balancer, start: Start) -> Client:
    """A shop that asks accounts through the balancer."""
    balancer.say("set server shop/shop-a-0 state maint")
    return start("web", site={"accounts_url": f"http://127.0.0.1:{balancer.port}/account"})


def join(balancer: Balancer, name: str, member: Client) -> None:
    """Take a member into the balancer's one pool, which stands for `accounts` here."""
    address = f"127.0.0.1:{member.port}"
    balancer.say(f"add server shop/{name} {address} weight 100")
    balancer.say(f"set server shop/{name} state ready")


def leave(balancer: Balancer, name: str) -> None:
    """Drain a member and take it out."""
    balancer.say(f"set server shop/{name} state drain")
    time.sleep(0.1)
    balancer.say(f"set server shop/{name} state maint")
    balancer.say(f"shutdown sessions server shop/{name}")
    balancer.say(f"del server shop/{name}")


def test_no_client_of_the_shop_notices_that_accounts_is_rolled(
    balancer: Balancer, start: Start, shop: Client
) -> None:
    """Each click is a new session, so each one depends on accounts."""
    join(balancer, "old", start("web", release="1.0"))
    answers: Counter[int] = Counter()
    over = threading.Event()

    def click() -> None:
        while not over.is_set():
            shop.cookie = ""
            answers[shop.get()[0]] += 1

    clicking = threading.Thread(target=click)
    clicking.start()
    join(balancer, "new", start("web", release="1.1"))
    leave(balancer, "old")
    time.sleep(0.2)
    over.set()
    clicking.join()

    assert set(answers) == {200}
    assert answers[200] > 20
    assert balancer.running() == ["shop-a-0 100", "new 100"]


def test_a_balancer_with_no_accounts_behind_it_is_noticed(shop: Client) -> None:
    """The balancer answers in their place, and its 503 is not taken for an answer."""
    assert shop.get() == (502, "accounts answered 503")
