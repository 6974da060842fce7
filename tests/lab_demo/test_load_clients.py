"""What clients count as failed, as lost, and as nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest

from lab.load.clients import Client, Habits, click_all
from lab.load.totals import Totals
from lab.load.wire import answer_of
from tests.lab_demo.shop_server import Shop

Click = Callable[[Shop], Awaitable[dict[str, Any]]]


@asynccontextmanager
async def served(shop: Shop) -> AsyncIterator[str]:
    server = await asyncio.start_server(shop, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.close()
    await asyncio.sleep(0.01)


async def click(shop: Shop, requests: int = 60, **habits: Any) -> dict[str, Any]:
    """Let four clients click until they have asked so often, and return their report."""
    totals, stop = Totals(0.0), asyncio.Event()
    async with served(shop) as url:
        habit = Habits(urls=(url,), clients=4, session=6, think=0.002, **habits)
        clicking = asyncio.create_task(click_all(habit, totals, stop))
        while totals.requests < requests:  # noqa: ASYNC110 - the clients of a load know no end
            await asyncio.sleep(0.01)
        stop.set()
        await clicking
    return totals.report(0.3, final=True)


async def test_a_healthy_shop_gives_neither_failures_nor_lost_sessions() -> None:
    shop = Shop()

    report = await click(shop)

    assert report["failed"] == report["lost_sessions"] == report["reconnects"] == 0
    assert report["requests"] == shop.requests > 40
    assert report["sessions"] == len(shop.cookies) > 4
    assert report["releases"]["1.0"]["hosts"] == {"web-0": shop.requests}


async def test_clients_of_several_services_say_which_one_failed() -> None:
    totals, stop = Totals(0.0), asyncio.Event()
    async with served(Shop()) as good, served(Shop(status=502)) as bad:
        habits = Habits(urls=(good, bad), clients=4, session=6, think=0.002)
        clicking = asyncio.create_task(click_all(habits, totals, stop))
        await asyncio.sleep(0.1)
        stop.set()
        await clicking
    report = totals.report(0.1, final=True)

    assert report["urls"][good]["failed"] == 0 < report["urls"][good]["requests"]
    assert report["urls"][bad]["failed"] == report["urls"][bad]["requests"] == report["failed"]
    assert {failure["url"] for failure in report["failures"]} == {bad}


async def test_every_answer_but_200_is_a_failure() -> None:
    report = await click(Shop(status=503))

    assert report["failed"] == report["requests"] > 0
    assert report["failures"][0]["what"] == "status 503"
    assert report["releases"] == {}


async def test_a_known_cookie_that_is_answered_as_new_is_a_lost_session() -> None:
    report = await click(Shop(forgets=True))

    assert report["failed"] == 0
    assert report["lost_sessions"] == report["requests"] - report["sessions"]


async def test_a_kept_connection_closed_before_the_request_is_opened_anew_and_not_failed() -> None:
    report = await click(Shop(answers_per_connection=3))

    assert report["failed"] == report["lost_sessions"] == 0
    assert report["reconnects"] > 4


async def test_a_new_connection_that_is_closed_without_an_answer_is_a_failure() -> None:
    report = await click(Shop(answers_per_connection=0))

    assert report["failed"] == report["requests"] > 0
    assert report["reconnects"] == 0


async def test_half_an_answer_is_a_failure_also_on_a_kept_connection() -> None:
    report = await click(Shop(cuts=True))

    assert report["failed"] == report["requests"] > 0
    assert "IncompleteReadError" in report["failures"][0]["what"]


async def test_no_answer_within_the_patience_is_a_failure() -> None:
    report = await click(Shop(silent=True), patience=0.05)

    assert report["failed"] == report["requests"] > 4
    assert "TimeoutError" in report["failures"][0]["what"]


async def test_a_refused_connection_is_a_failure_and_the_client_goes_on() -> None:
    totals = Totals(0.0)
    client = Client(0, Habits(urls=("http://127.0.0.1:1/",)), totals)

    assert await client._request("c00kie") == "c00kie"
    assert totals.failed == 1


@pytest.mark.parametrize(
    ("body", "host", "release", "known"),
    [(b"web-0 1.1 7 old\n", "web-0", "1.1", True), (b"Service Unavailable", "", "", False)],
)
def test_the_body_says_who_served_which_release(
    body: bytes, host: str, release: str, known: bool
) -> None:
    answer = answer_of(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body)

    assert (answer.host, answer.release, answer.known) == (host, release, known)
    assert answer.closes


def test_the_module_can_be_run() -> None:
    assert callable(import_module("lab.load.__main__").main)
