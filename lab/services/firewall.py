"""The firewall before the VMs: nftables, told by an sshd whose one key may only run `nft`.

The balancer runs in the namespace that is the VMs' switch too, so what a firewall between them
would see as forwarded is its own output here. It lets the balancer in to the addresses of a pool's
set, and to no other address that a VM may have.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from lab.services.base import Service, listens, write
from lab.settings import BALANCER_IP, NETNS, POOLS, SERVICES_IP, UID, Places
from lab.supervisor import Program

PORT = 2222
TABLE = ("inet", "central")
MEMBERS = "198.18.0.100-198.18.0.199"  # all addresses that a VM may get

# Whatever is in the sets stays: the file is read at each start.
_RULES = """\
add table {table}
{sets}
add chain {table} to_vms {{ type filter hook output priority filter; policy accept; }}
flush chain {table} to_vms
{accepts}
add rule {table} to_vms ip saddr {balancer} ip daddr {members} tcp dport 8080 reject with tcp reset
"""
_SET = "add set {table} {group} {{ type ipv4_addr; }}"
_ACCEPT = "add rule {table} to_vms ip saddr {balancer} ip daddr @{group} tcp dport 8080 accept"

_SSHD = """\
Port {port}
ListenAddress {address}
HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
PidFile none
UsePAM no
PermitRootLogin forced-commands-only
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowAgentForwarding no
AllowTcpForwarding no
X11Forwarding no
PermitTTY no
"""
_AUTHORIZED = 'restrict,command="/usr/sbin/nft -j -f -" {key}\n'


def group_of(pool: str) -> str:
    """Return the set that the members of a pool belong into."""
    return f"{pool}_vms"


def key_file(places: Places) -> Path:
    """Return where the product's private key is."""
    return places.secrets / "firewall"


def host_key(places: Places) -> str:
    """Return the firewall's public key, as known_hosts has it after the name."""
    return _public(places.of("firewall") / "host_key")


def service(places: Places) -> Service:
    """Ready means: its sshd accepts connections, which it does when the rules are loaded."""
    home = places.of("firewall")
    steps = [
        "mkdir -p /run/sshd",
        f"/usr/sbin/nft -f {home}/central.nft",
        f"exec /usr/sbin/sshd -D -e -f {home}/sshd_config",
    ]
    return Service(
        program=Program("firewall", ["/bin/sh", "-c", " && ".join(steps)], user="root"),
        prepare=lambda: _prepare(places),
        ready=lambda: listens(SERVICES_IP, PORT),
    )


def rules() -> str:
    """Return the rules as `nft -f` reads them."""
    table, groups = " ".join(TABLE), [group_of(pool) for pool in POOLS]
    words = {"table": table, "balancer": BALANCER_IP, "members": MEMBERS}
    return _RULES.format(
        **words,
        sets="\n".join(_SET.format(table=table, group=group) for group in groups),
        accepts="\n".join(_ACCEPT.format(**words, group=group) for group in groups),
    )


def _prepare(places: Places) -> None:
    _forget()
    home = places.of("firewall")
    write(home / "central.nft", rules())
    write(home / "sshd_config", _SSHD.format(port=PORT, address=SERVICES_IP, home=home))
    host_key(places)
    mine = _AUTHORIZED.format(key=_public(key_file(places)))
    os.chown(key_file(places), UID, UID)
    write(home / "authorized_keys", mine, 0o600)


def _forget() -> None:
    """Remove what a lab has left whose folder was lost: sets outlive everything but the network."""
    command = ["ip", "netns", "exec", NETNS, "/usr/sbin/nft", "delete", "table", *TABLE]
    subprocess.run(command, capture_output=True, check=False)  # mostly there is none


def _public(file: Path) -> str:
    """Return the public half of the key in *file*, made up by the first call."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=file.parent) as draft:  # whole, or not there
            made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{draft}/key"]
            subprocess.run(made, check=True)
            Path(draft, "key").rename(file)
    told = ["ssh-keygen", "-y", "-f", str(file)]
    return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()
