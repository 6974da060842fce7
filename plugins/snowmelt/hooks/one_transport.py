"""How XML-RPC reaches OpenNebula: with time-outs, TLS checks and few connections at once.

pyone's own transport has none of these: its `timeout=` sets a default for every socket of the
process and is then overridden with "none", and proxies are taken from the environment.
"""

from __future__ import annotations

import http.client
import re
import xmlrpc.client
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import Any
from xml.parsers.expat import ExpatError

import requests

from snowmelt.errors import (
    Busy,
    Missing,
    NotAllowed,
    OutOfRoom,
    Refused,
    SnowmeltError,
    Unreachable,
)
from snowmelt.hooks.connection import TIMEOUT

# A real oned answers 15 calls at a time and drops connections beyond 30: leave room for others.
MAX_CONNECTIONS = 4
# Longest wait for one of our own connections: MAX_CONNECTIONS calls that each time out.
_QUEUE_S = 60.0

_slots: dict[str, BoundedSemaphore] = {}
_slots_lock = Lock()


def slots_for(uri: str, limit: int = MAX_CONNECTIONS) -> BoundedSemaphore:
    """Return the semaphore that all hooks of this process share for one endpoint."""
    with _slots_lock:
        return _slots.setdefault(uri, BoundedSemaphore(limit))


def error_for(code: int, text: str) -> SnowmeltError:
    """Return our error for a failed call. The only place that knows OpenNebula's codes.

    Three codes stand for several things each; only the text tells them apart:
    0x0200 also means a quota ("limit of 2 reached for VMS quota", users/39, 41, 43, 46) and a lock
    ("VM is locked", vm-update/14); 0x4000 also means no free address ("Cannot get IP/MAC lease",
    errors/03, templates/27).
    """
    if code == 0x0200 and re.search(r"limit of .* reached", text):
        return OutOfRoom(f"OpenNebula's quota is used up: {text}")
    if code == 0x0200 and "is locked" in text:
        return Refused(f"somebody has locked it in OpenNebula; unlock it first: {text}")
    if code == 0x4000 and "Cannot get IP/MAC lease" in text:
        return OutOfRoom(f"no free address: {text}")
    return _BY_CODE.get(code, SnowmeltError)(f"OpenNebula: {text}")


_BY_CODE: dict[int, type[SnowmeltError]] = {
    0x0100: NotAllowed,  # AUTHENTICATION
    0x0200: NotAllowed,  # AUTHORIZATION
    0x0400: Missing,  # NO_EXISTS
    0x0800: Busy,  # ACTION: not in this state
    0x1000: Refused,  # RPC_API
    0x2000: SnowmeltError,  # INTERNAL: a catch-all, so retried
    0x4000: Refused,  # ALLOCATE: what the template asks for does not exist
    0x8000: Refused,  # LOCKED
    0x10000: Unreachable,  # REPLICATION
    -501: Refused,  # XML-RPC fault: wrong parameters
    -503: Refused,  # XML-RPC fault: not XML
    -506: Refused,  # XML-RPC fault: no such method
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where OpenNebula is and how to reach it."""

    uri: str
    verify: bool | str = True
    timeout: tuple[float, float] = TIMEOUT
    max_connections: int = MAX_CONNECTIONS


class OneTransport(xmlrpc.client.Transport):
    """A transport for `xmlrpc.client.ServerProxy` that raises only our own errors."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    # The types are those of typeshed; a request is always bytes here.
    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        """Send one call and return its answer as pyone expects it: a tuple of one array."""
        answer = _parsed(self._post(request_body))
        if not answer[0][0]:
            raise error_for(int(answer[0][2]), str(answer[0][1]))
        return answer

    def _post(self, body: Any) -> bytes:
        slots = slots_for(self._endpoint.uri, self._endpoint.max_connections)
        if not slots.acquire(timeout=_QUEUE_S):
            raise Unreachable(f"{self._endpoint.uri}: all our connections are busy")
        try:
            return self._exchange(body)
        except requests.RequestException as error:
            raise Unreachable(f"{self._endpoint.uri}: {error}") from error
        finally:
            slots.release()

    def _exchange(self, body: Any) -> bytes:
        with requests.Session() as session:
            session.trust_env = False  # no proxies and no .netrc from the environment
            answer = session.post(
                self._endpoint.uri,
                data=body,
                headers={"Content-Type": "text/xml"},
                verify=self._endpoint.verify,
                timeout=self._endpoint.timeout,
                allow_redirects=False,
            )
        if answer.status_code != http.client.OK:
            raise _http_error(self._endpoint.uri, answer.status_code)
        return answer.content


def _http_error(uri: str, status: int) -> SnowmeltError:
    kind = Unreachable if status >= 500 or status == 429 else Refused
    return kind(f"{uri} answers HTTP {status}: is this OpenNebula's /RPC2?")


def _parsed(content: bytes) -> Any:
    unmarshaller = xmlrpc.client.Unmarshaller()
    parser = xmlrpc.client.ExpatParser(unmarshaller)
    # An answer is XML inside XML: without a buffer each "&lt;" ends a piece of text, 290,000 of
    # them for 800 VMs, and two thirds of the time goes into taking them one by one.
    parser._parser.buffer_text = True  # type: ignore[attr-defined]
    try:
        parser.feed(content)
        parser.close()
        return unmarshaller.close()
    except xmlrpc.client.Fault as fault:
        raise error_for(fault.faultCode, fault.faultString) from fault
    except (ExpatError, xmlrpc.client.ResponseError) as error:
        raise Unreachable(f"OpenNebula's answer is not whole: {error}") from error
