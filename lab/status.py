"""lab-status: what runs, and which VMs there are."""

from __future__ import annotations

from lab.settings import Places
from lab.supervisor import supervisor_of
from lab.vm import Machines


def status(places: Places) -> bool:
    """Print a line per part; true when all of them run."""
    states = supervisor_of(places).states()
    if not states:
        print("the lab is down")
        return False
    for name, state in sorted(states.items()):
        print(f"{name:<14} {state.lower():<9} {places.logs / name}.log")
    machines = Machines(places.vms)
    for name in machines.names():
        print(f"vm {name:<11} {'running' if machines.is_running(name) else 'off'}")
    return set(states.values()) == {"RUNNING"}
