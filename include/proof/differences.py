"""How a new VM differs from the one it replaces, in what should be the same.

A package that only the old one has was put there by hand. It goes with the VM, and somebody
will miss it tomorrow: that is told while the old VM still runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# the fact of the module snowmelt_base: {"packages": {name: version}, "listening": ["tcp 22"]}
INVENTORY = "snowmelt_inventory"

# facts in which two VMs of a service may not differ; all others are a VM's own, or change by time
SAME: tuple[str, ...] = (
    "architecture",
    "kernelrelease",
    "memorysize",
    "os",
    "processorcount",
    "puppetversion",
    "rubyversion",
    "snowmelt_service",
    "timezone",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the two differ."""

    kind: str
    name: str
    old: str  # "" where the old VM does not have it
    new: str

    def __str__(self) -> str:
        thing = f"{self.kind} {self.name}"
        if not self.new:
            return f"{thing} {self.old}".rstrip() + ": on the old VM only"
        if not self.old:
            return f"{thing} {self.new}".rstrip() + ": on the new VM only"
        return f"{thing}: {self.old} -> {self.new}"


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], same: Collection[str] = SAME
) -> tuple[Difference, ...]:
    """Return the differences between the facts of two VMs, by kind and name."""
    return (*_inventory(old, new), *_facts(old, new, same))


def _inventory(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    before, after = old.get(INVENTORY), new.get(INVENTORY)
    if before is None or after is None:
        return  # one of them was never asked: that says nothing
    yield from _pairs("package", before.get("packages", {}), after.get("packages", {}))
    yield from _pairs("listens on", _marked(before), _marked(after))


def _marked(inventory: Mapping[str, Any]) -> dict[str, str]:
    return {str(port): "open" for port in inventory.get("listening", ())}


def _pairs(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        before, after = str(old.get(name, "")), str(new.get(name, ""))
        if before != after:
            yield Difference(kind, name, before, after)


def _facts(
    old: Mapping[str, Any], new: Mapping[str, Any], same: Collection[str]
) -> Iterator[Difference]:
    for name in sorted(same):
        if name in old and name in new and old[name] != new[name]:
            yield from _leaves(name, old[name], new[name])


def _leaves(name: str, old: Any, new: Any) -> Iterator[Difference]:
    """Yield what differs below a fact, so that nobody has to compare two long texts."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        yield Difference("fact", name, str(old), str(new))
        return
    for key in sorted(old.keys() | new.keys(), key=str):
        if old.get(key) != new.get(key):
            yield from _leaves(f"{name}.{key}", old.get(key, ""), new.get(key, ""))
