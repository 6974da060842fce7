"""The transport under pyone: limits, and what becomes of recorded failures."""

from __future__ import annotations

import threading
import time
import xmlrpc.client

import pytest

from snowmelt.errors import (
    Busy,
    Missing,
    NotAllowed,
    OutOfRoom,
    Refused,
    SnowmeltError,
    Unreachable,
)
from snowmelt.hooks.one_transport import Endpoint, OneTransport
from snowmelt.hooks.opennebula import OpenNebulaHook
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.fake_one import FakeOne, recorded


@pytest.mark.parametrize(
    ("recording", "error"),
    [
        ("users_41-quota-exceeded-cpu", OutOfRoom),
        ("users_08-instantiate-denied", NotAllowed),
        ("vm-update_14-terminate-locked-by-admin", Refused),
        ("errors_03-out-of-leases-third", OutOfRoom),
        ("templates_28-instantiate-unknown-image", Refused),
        ("templates_05-allocate-bad-syntax", SnowmeltError),
        ("vm-actions_05-action-missing-vm", Missing),
        ("vm-actions_13-terminate-when-prolog", Busy),
        ("system_03-version-bad-password", NotAllowed),
        ("system_06-unknown-method", Refused),
        ("system_07-vm-info-missing-params", Refused),
    ],
)
def test_a_recorded_failure_becomes_one_of_our_errors(
    one: FakeOne, cloud_hook: OpenNebulaHook, recording: str, error: type[SnowmeltError]
) -> None:
    """The codes that pyone loses (0x4000) and the faults are told apart too."""
    one.answers["vm.info"] = recorded(recording)

    with pytest.raises(SnowmeltError) as raised:
        cloud_hook.vm(1)

    assert type(raised.value) is error


def test_a_locked_vm_is_not_reported_as_a_missing_right(
    one: FakeOne, cloud_hook: OpenNebulaHook
) -> None:
    """NotAllowed would send the operator to the ACL; the cure is an unlock."""
    one.answers["vm.info"] = recorded("vm-update_14-terminate-locked-by-admin")

    with pytest.raises(Refused, match="unlock"):
        cloud_hook.vm(1)


def test_a_server_that_never_answers_is_unreachable(one: FakeOne) -> None:
    """pyone's own timeout would wait for ever."""
    one.answers["system.version"] = lambda _params: time.sleep(1.0)
    transport = OneTransport(Endpoint(one.uri, timeout=(1.0, 0.1)))
    body = xmlrpc.client.dumps(("session",), "one.system.version").encode()

    with pytest.raises(Unreachable, match="timed out"):
        transport.request("", "", body)


def test_a_closed_port_is_unreachable(connect: Connect) -> None:
    """Airflow will try again."""
    cloud_hook = OpenNebulaHook(connect("opennebula", host="http://127.0.0.1:1/RPC2", login="a"))

    with pytest.raises(Unreachable):
        cloud_hook.version()


def test_no_more_than_four_calls_run_at_once(one: FakeOne, cloud_hook: OpenNebulaHook) -> None:
    """Twelve threads, and a real oned would serve fifteen for everybody."""

    def slow(_params: object) -> str:
        time.sleep(0.05)
        return "7.4.0"

    one.answers["system.version"] = slow
    threads = [threading.Thread(target=cloud_hook.version) for _ in range(12)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(one.called("system.version")) == 12
    assert one.most_at_once == 4


def test_proxies_of_the_environment_are_not_used(
    one: FakeOne, cloud_hook: OpenNebulaHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyone's own transport would send our password there."""
    one.answers["system.version"] = recorded("system_01-version")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert cloud_hook.version() == "7.4.0"
