"""Read every system of the lab directly. Runs inside the lab's namespace and prints JSON.

Nothing here is shared with the product: what finds a trace must not be what should remove it. An
entry is a line of words; the names, addresses and ids that belong to a VM stand in it as words.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dns.name
import dns.query
import dns.tsig
import dns.tsigkeyring
import dns.zone
import pyone
import requests

from lab.services.firewall import TABLE
from lab.services.opennebula import PORT, admin_password
from lab.settings import SERVICES_IP, Places, places

PATIENCE_S = 15
Entry = Mapping[str, Any]  # one Connection of the lab's connections.json
Entries = list[str]


def cloud(lab: Places) -> pyone.OneServer:
    """Return a client of OpenNebula's XML-RPC that sees everybody's things."""
    address = f"http://{SERVICES_IP}:{PORT}/RPC2"
    return pyone.OneServer(address, session=f"oneadmin:{admin_password(lab)}")


def _nics(vm: Any) -> list[Mapping[str, str]]:
    found = vm.TEMPLATE.get("NIC") or []
    return found if isinstance(found, list) else [found]


def vms(one: pyone.OneServer) -> Entries:
    """Return all VMs that are not DONE, with the release they were made for."""
    pool = one.vmpool.infoextended(-2, -1, -1, -1)
    return [
        " ".join([vm.NAME, f"id={vm.ID}", f"release={vm.USER_TEMPLATE.get('SNOWMELT_RELEASE')}",
                  *(nic.get("IP", "") for nic in _nics(vm))])
        for vm in pool.VM
    ]  # fmt: skip


def leases(one: pyone.OneServer) -> Entries:
    """Return the addresses that OpenNebula has given out, and to which VM."""
    networks = [one.vn.info(network.ID) for network in one.vnpool.info(-2, -1, -1).VNET]
    ranges = [each for network in networks for each in network.AR_POOL.AR]
    taken = [lease for each in ranges if each.LEASES for lease in each.LEASES.LEASE]
    return [f"{lease.IP} id={lease.VM}" for lease in taken]


def _web(entry: Entry, port: int) -> tuple[requests.Session, str]:
    """Return a session with the Connection's certificates or password, and the base address."""
    extra = entry["extra"]
    session = requests.Session()
    session.trust_env = False
    session.verify = extra["ca_file"]
    if extra.get("cert_file"):
        session.cert = (extra["cert_file"], extra["key_file"])
    if entry.get("login"):
        session.auth = (entry["login"], entry["password"])
    return session, f"https://{entry['host']}:{entry.get('port') or port}"


def _read(entry: Entry, port: int, path: str) -> Any:
    session, base = _web(entry, port)
    answer = session.get(base + path, timeout=PATIENCE_S)
    answer.raise_for_status()
    return answer.json()


def certificates(entry: Entry) -> Entries:
    """Return every name that the CA knows, with its state: requested, signed or revoked."""
    rows = _read(entry, 8140, "/puppet-ca/v1/certificate_statuses/all")
    return [f"{row['name']} {row['state']}" for row in rows]


def nodes(entry: Entry) -> Entries:
    """Return the active nodes of PuppetDB."""
    return [row["certname"] for row in _read(entry, 8081, "/pdb/query/v4/nodes")]


def monitored(entry: Entry) -> Entries:
    """Return Icinga's hosts."""
    rows = _read(entry, 5665, "/v1/objects/hosts")["results"]
    return [f"{row['name']} {row['attrs']['address']}" for row in rows]


def records(entry: Entry) -> Entries:
    """Return all records of all zones but the SOA, whose serial changes with every update."""
    algorithm = dns.name.from_text(entry["extra"].get("algorithm", "hmac-sha256"))
    key = {entry["login"]: (algorithm, entry["password"])}
    keyring = dns.tsigkeyring.from_text(key)
    address = socket.gethostbyname(entry["host"])
    found = []
    for name in entry["extra"]["zones"]:
        port = entry.get("port") or 53
        transfer = dns.query.xfr(
            address, name, port=port, keyring=keyring, lifetime=PATIENCE_S, relativize=False
        )
        zone = dns.zone.from_xfr(transfer, relativize=False)
        found += [" ".join(line.split()) for line in zone.to_text(relativize=False).splitlines()]
    return [record_of(line) for line in found if line and " SOA " not in line]


def record_of(line: str) -> str:
    """Return a zone file's line without TTL and class, names without their last dot."""
    owner, _, _, kind, *data = line.split()
    return " ".join(word.rstrip(".") for word in (owner, kind, *data))


def runtime(admin_socket: Path, command: str) -> str:
    """Return what HAProxy's runtime API answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(admin_socket))
        connection.sendall(f"{command}\n".encode())
        with connection.makefile("r") as answer:
            return answer.read()


def members(admin_socket: Path) -> Entries:
    """Return the members of all pools with their state: UP, DOWN, DRAIN, MAINT."""
    head, *lines = runtime(admin_socket, "show stat").lstrip("# ").splitlines()
    rows = [dict(zip(head.split(","), line.split(","), strict=False)) for line in lines if line]
    own = [row for row in rows if row["type"] == "2" and row["svname"] != "cli"]  # 2: a server
    return [
        " ".join(
            [row["pxname"], row["svname"], row["addr"].partition(":")[0], row["status"].split()[0]]
        )
        for row in own
    ]


def let_in() -> Entries:
    """Return who is in the firewall's sets, by `nft` itself."""
    command = ["nft", "-j", "list", "table", *TABLE]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    sets = [row["set"] for row in json.loads(done.stdout)["nftables"] if "set" in row]
    found = [(each["name"], element) for each in sets for element in each.get("elem", [])]
    return [f"{name} {_element(element)}".strip() for name, element in found]


def _element(element: Any) -> str:
    inner = element["elem"] if isinstance(element, dict) else {"val": element}
    return f"{inner['val']} {inner.get('comment', '')}"


def sticky(admin_socket: Path) -> Entries:
    """Return the members that sessions still point at."""
    tables = re.findall(r"^# table: ([^,\s]+)", runtime(admin_socket, "show table"), re.MULTILINE)
    text = "".join(runtime(admin_socket, f"show table {table}") for table in tables)
    return sorted(set(re.findall(r"server_key=(\S+)", text)))


def probes(lab: Places) -> dict[str, Callable[[], Entries]]:
    """Return what reads each system, by the system's name."""
    connections = json.loads((lab.state / "connections.json").read_text())
    haproxy = lab.of("haproxy") / "admin.sock"
    one = cloud(lab)
    return {
        "vms": lambda: vms(one),
        "leases": lambda: leases(one),
        "certificates": lambda: certificates(connections["snowmelt_puppet_ca"]),
        "nodes": lambda: nodes(connections["snowmelt_puppetdb"]),
        "records": lambda: records(connections["snowmelt_nameserver"]),
        "monitored": lambda: monitored(connections["snowmelt_monitoring"]),
        "members": lambda: members(haproxy),
        "let_in": let_in,
        "sticky": lambda: sticky(haproxy),
    }


def main() -> None:
    """Print what each system shows."""
    print(json.dumps({name: sorted(read()) for name, read in probes(places()).items()}))


if __name__ == "__main__":
    main()
