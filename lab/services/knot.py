"""Knot DNS: both zones of the lab, changed by signed RFC 2136 updates only."""

from __future__ import annotations

import base64
import os
import socket
import struct

from lab.services.base import Service, folders, give, write
from lab.settings import BALANCER_IP, POOLS, REVERSE_ZONE, SERVICES_IP, UID, ZONE, Places
from lab.supervisor import Program

KEY_NAME = "snowmelt"
ALGORITHM = "hmac-sha256"
_SERVICES = ("ns1", "one", "puppet", "puppetdb", "repo", "icinga")
_BALANCED = {"lb": BALANCER_IP, "www": BALANCER_IP} | POOLS

_CONFIGURATION = """\
server:
  rundir: "{home}/run"
  listen: {address}@53
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "{home}/db"
  journal-db-max-size: 20M
  kasp-db-max-size: 20M
  timer-db-max-size: 5M
include: "{home}/key.conf"
acl:
  - id: snowmelt
    key: {key}
    action: [update, transfer]
template:
  - id: default
    storage: "{home}/zones"
    file: "%s.zone"
    acl: snowmelt
    zonefile-sync: 0
    zonefile-load: difference-no-serial
    journal-content: all
    semantic-checks: on
zone:
  - domain: {zone}
  - domain: {reverse}
"""

# The last number of the SOA is how long a resolver may remember that a name does not exist.
_START = "@ 30 SOA ns1.{zone}. hostmaster.{zone}. 1 3600 600 86400 5\n@ 30 NS ns1.{zone}.\n"


def service(places: Places) -> Service:
    """Ready means: it answers for the lab's zone."""
    home = places.of("knot")
    return Service(
        program=Program("knot", ["/usr/sbin/knotd", "-c", str(home / "knot.conf")]),
        prepare=lambda: _prepare(places),
        ready=_answers,
    )


def key(places: Places) -> str:
    """The shared secret of the updates, base64; made by the first call."""
    path = places.secrets / "tsig"
    if not path.exists():
        write(path, base64.b64encode(os.urandom(32)).decode(), 0o600)
        os.chown(path, UID, UID)
    return path.read_text().strip()


def _prepare(places: Places) -> None:
    home = places.of("knot")
    folders(home / "run", home / "db")
    secret = f'key:\n  - id: {KEY_NAME}\n    algorithm: {ALGORITHM}\n    secret: "{key(places)}"\n'
    write(home / "key.conf", secret, 0o600)
    text = _CONFIGURATION.format(
        home=home, address=SERVICES_IP, key=KEY_NAME, zone=ZONE, reverse=REVERSE_ZONE
    )
    write(home / "knot.conf", text)
    forward = [f"{name} 30 A {SERVICES_IP}" for name in _SERVICES]
    forward += [f"{name} 30 A {address}" for name, address in _BALANCED.items()]
    backward = [
        f"{_last(SERVICES_IP)} 30 PTR ns1.{ZONE}.",
        f"{_last(BALANCER_IP)} 30 PTR lb.{ZONE}.",
    ]
    backward += [f"{_last(a)} 30 PTR {n}.{ZONE}." for n, a in POOLS.items() if a != BALANCER_IP]
    for zone, records in ((ZONE, forward), (REVERSE_ZONE, backward)):
        lines = f"$ORIGIN {zone}.\n" + _START.format(zone=ZONE) + "\n".join(records) + "\n"
        write(home / "zones" / f"{zone}.zone", lines)
    give(home)


def _last(address: str) -> str:
    return address.rpartition(".")[2]


def _answers() -> bool:
    """Ask for the zone's SOA by hand: one packet, no resolver."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in ZONE.split("."))
    query = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(1)
        line.sendto(query, (SERVICES_IP, 53))
        try:
            answer = line.recv(512)
        except OSError:
            return False
    return answer[3] & 0x0F == 0 and struct.unpack(">H", answer[6:8])[0] == 1
