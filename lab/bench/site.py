"""The fixed facts of the bench's cloud."""

from __future__ import annotations

HERE = "127.0.0.1"
ZONES = ("bench.test", "10.in-addr.arpa")
TEMPLATE = "bench-vm"
NETWORK = "bench"
IMAGE = "bench-image"
CPU = 0.25  # of a core, for each VM
MEMORY_MB = 256


def names(services: int) -> list[str]:
    """The names of so many services; each has a pool of its name."""
    return [f"bench{number:03}" for number in range(services)]
