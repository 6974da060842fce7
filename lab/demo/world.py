"""What every system of the lab shows, at one moment, as sets that can be compared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab.settings import CHECKOUT, NETNS, Places, places

World = dict[str, frozenset[str]]  # system -> its entries

# Sessions come and go by themselves.
RESTLESS = frozenset({"sticky"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Vm:
    """A VM by all the names under which a system may know it."""

    name: str
    vm_id: int
    address: str
    release: str
    fqdn: str

    def words(self) -> frozenset[str]:
        """Return the words that betray it in an entry."""
        address = IPv4Address(self.address)
        machine = f"one-{self.vm_id}"
        cable = f"v00{address.packed.hex()}"  # by the MAC rule: 02:00 and the address
        return frozenset({
            self.name, self.fqdn, f"id={self.vm_id}", self.address, address.reverse_pointer,
            machine, f"snowmelt-{NETNS}-{machine}", cable,
        })  # fmt: skip


def snapshot(lab: Places | None = None) -> World:
    """Read every system of the running lab (1–2 s).

    Raises:
        subprocess.CalledProcessError: a system does not answer.
    """
    lab = lab or places()
    command = ["ip", "netns", "exec", NETNS, sys.executable, "-m", "lab.demo.probes"]
    result = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE)
    world = {name: frozenset(entries) for name, entries in json.loads(result.stdout).items()}
    return world | {"machines": frozenset([*_disks(lab), *_groups(), *_cables()])}


def _disks(lab: Places) -> list[str]:
    return [f"disk {path.name}" for path in lab.vms.glob("*")]


def _groups() -> list[str]:
    tops = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()
            if line.split()[2] == "cgroup2"]  # fmt: skip
    return [f"cgroup {path.name}" for top in tops for path in Path(top).glob(f"snowmelt-{NETNS}-*")]


def _cables() -> list[str]:
    command = ["ip", "-json", "-n", NETNS, "link", "show", "type", "veth"]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return [f"cable {link['ifname']}" for link in json.loads(result.stdout or "[]") if link]


def vms_of(world: World, service: str, zone: str = "lab.test") -> tuple[Vm, ...]:
    """Return the VMs of a service, by name."""
    rows = [entry.split() for entry in sorted(world["vms"])]
    return tuple(
        Vm(name=name, vm_id=int(vm_id.removeprefix("id=")), address=rest[0] if rest else "0.0.0.0",
           release=release.removeprefix("release="), fqdn=f"{name}.{zone}")
        for name, vm_id, release, *rest in rows if name.startswith(f"{service}-")
    )  # fmt: skip


def traces(world: World, gone: Iterable[Vm]) -> list[str]:
    """Return every entry of any system that still speaks of VMs that should be gone."""
    words = frozenset().union(*(vm.words() for vm in gone))
    return [
        f"{system}: {entry}"
        for system, entries in sorted(world.items())
        for entry in sorted(entries)
        if words & set(entry.split())
    ]


def changes(before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]) -> list[str]:
    """Return what came (+) and went (-) between two snapshots, sessions apart."""
    found = []
    for system in sorted(before.keys() - RESTLESS):
        found += [f"- {system}: {entry}" for entry in sorted(before[system] - after[system])]
        found += [f"+ {system}: {entry}" for entry in sorted(after[system] - before[system])]
    return found
