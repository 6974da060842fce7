"""Recorded HTTP exchanges, sent again byte for byte but for host, session and length."""

from __future__ import annotations

import json
import re
import socket
import ssl
from urllib.parse import urlsplit

from tests.contract import recorded
from tests.contract.cloud import Cloud

_CURL = re.compile(r"curl (?:-X (?P<verb>\w+) )?(?P<url>\S+)(?P<rest>.*)")
_CURL_HEADER = re.compile(r"--header (X-[\w-]+): (\S+)")
_VALUE = re.compile(r"(<(string|i4|i8)>)[^<]*(</\2>)")


def repeat(cloud: Cloud, name: str) -> int:
    """Send a recorded request; compare status, headers and the form of the body; the status."""
    request, wanted = _halves(recorded.text(name), ">>> response")
    got = _exchange(cloud, request.partition("\n")[2]) if cloud.live else wanted
    cloud.texts.add(name)
    one, two = _parse(wanted), _parse(got)
    assert two[0] == one[0], f"{name}: {one[0]!r} expected, got {two[0]!r}"
    names = [[line.partition(":")[0] for line in headers] for headers in (one[1], two[1])]
    assert sorted(names[1]) == sorted(names[0]), f"{name}: headers {names[0]} against {names[1]}"
    assert "Connection: close" in two[1], name
    if "text/xml" in str(one[1]):
        forms = [_VALUE.sub(r"\1*\3", body) for body in (one[2], two[2])]
        assert forms[0] == forms[1], f"{name}: body {forms[0]!r} expected, got {forms[1]!r}"
        assert _header(two[1], "content-length") == str(len(two[2].encode())), name
    return int(two[0].split()[1])


def repeat_onegate(cloud: Cloud, name: str, vm: int) -> None:
    """Send a recorded OneGate request for one of our VMs; compare status, type and body."""
    request, wanted = _halves(recorded.text(name), "<<< response")
    got = _onegate(cloud, request, vm) if cloud.live else wanted
    cloud.texts.add(name)
    one, two = _parse(wanted), _parse(got)
    assert two[0].split()[1] == one[0].split()[1], f"{name}: {two[0]} against {one[0]}"
    assert _header(two[1], "content-type") == _header(one[1], "content-type"), name
    if one[2].startswith("{"):
        bodies = [_shape(json.loads(body), "") for body in (one[2], two[2])]
        assert bodies[0] == bodies[1], f"{name}: {one[2]} against {two[2]}"
    else:
        assert two[2].strip() == one[2].strip(), f"{name}: {two[2]!r} against {one[2]!r}"
    cloud.seen.append(("ONEGATE", int(two[0].split()[1])))


def _halves(text: str, mark: str) -> tuple[str, str]:
    request, _, response = text.partition(mark)
    return request, response.lstrip("\r\n")


def _parse(response: str) -> tuple[str, list[str], str]:
    """Status line, header lines, body with its line ends."""
    head, _, body = response.partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    return status, headers, body


def _header(headers: list[str], name: str) -> str:
    found = [line for line in headers if line.lower().startswith(name + ":")]
    return found[0].partition(":")[2].strip().replace(" ", "").lower() if found else ""


def _exchange(cloud: Cloud, request: str) -> str:
    """Rebuild the request for this endpoint, send it, and read until the server closes."""
    parts = urlsplit(cloud.site.url)
    head, _, body = request.replace("\r\n", "\n").partition("\n\n")
    body = body.strip("\n").replace("SESSION-ADMIN", cloud.site.session)
    lines = [
        line.replace("127.0.0.1:2633", parts.netloc)
        for line in head.split("\n")
        if line and not line.startswith("Content-Length")
    ]
    if "Content-Length" in head:
        lines.append(f"Content-Length: {len(body)}")
    return _talk(cloud.site.url, "\r\n".join(lines) + "\r\n\r\n" + body)


def _talk(url: str, request: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((parts.hostname or "", port), timeout=20) as plain:
        connection = plain
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = context.wrap_socket(plain, server_hostname=parts.hostname)
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def _onegate(cloud: Cloud, request: str, vm: int) -> str:
    found = _CURL.search(request)
    assert found, request
    headers = dict(_CURL_HEADER.findall(found["rest"]))
    live = cloud.known.ids["vm", vm]
    if "X-ONEGATE-VMID" in headers:
        headers["X-ONEGATE-VMID"] = str(live)
    if headers.get("X-ONEGATE-TOKEN") == "TOKEN-OF-THE-VM":
        headers["X-ONEGATE-TOKEN"] = cloud.switches.token(live)
    body = found["rest"].partition(" -d ")[2].strip()
    target = urlsplit(found["url"])
    path = target.path + (f"?{target.query}" if target.query else "")
    lines = [
        f"{found['verb'] or 'GET'} {path} HTTP/1.1",
        f"Host: {urlsplit(cloud.site.onegate).netloc}",
        "Connection: close",
        *(f"{key}: {value}" for key, value in headers.items()),
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return _talk(cloud.site.onegate, "\r\n".join(lines) + "\r\n\r\n" + body)


def _shape(value: object, key: str) -> object:
    """A JSON document without what is an address, an id or a name of ours."""
    if isinstance(value, dict):
        return {name: _shape(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_shape(item, key) for item in value]
    return type(value).__name__ if key in {"ID", "IP", "MAC", "NAME", "NETWORK"} else value
