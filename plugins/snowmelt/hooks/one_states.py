"""OpenNebula's state numbers, as phases.

Not pyone's enums: those lack 69 to 71, and `LCM_STATE(69)` raises ValueError. Names and numbers
are those of `VirtualMachine.h` in OpenNebula 7.4.
"""

from __future__ import annotations

from include.facts import VmPhase

_STATES: dict[int, tuple[str, VmPhase]] = {
    0: ("INIT", "pending"),
    1: ("PENDING", "pending"),
    2: ("HOLD", "held"),
    4: ("STOPPED", "off"),
    5: ("SUSPENDED", "off"),
    6: ("DONE", "done"),
    8: ("POWEROFF", "off"),
    9: ("UNDEPLOYED", "off"),
    10: ("CLONING", "pending"),
    11: ("CLONING_FAILURE", "failed"),
}
_ACTIVE = 3

# Only those that are reached in our lives have a name here; the others keep their number.
_LCM_NAMES = {
    0: "LCM_INIT",
    1: "PROLOG",
    2: "BOOT",
    3: "RUNNING",
    11: "EPILOG",
    12: "SHUTDOWN",
    15: "CLEANUP_RESUBMIT",
    16: "UNKNOWN",
    18: "SHUTDOWN_POWEROFF",
    20: "BOOT_POWEROFF",
    23: "CLEANUP_DELETE",
    36: "BOOT_FAILURE",
    39: "PROLOG_FAILURE",
    40: "EPILOG_FAILURE",
}
_LCM_PHASES: dict[VmPhase, frozenset[int]] = {
    # boots, prologs and moves to another host: it does not answer, and will by itself
    "starting": frozenset({0, 1, 2, 7, 8, 9, 15, 19, 20, 21, 22, 31, 32, 35}),
    # hotplug, live migration, snapshots, resize, backup: the guest goes on
    "running": frozenset({3, 4, 17, 24, 25, 26, 57, 58, 59, 62, 66, 69}),
    "stopping": frozenset({5, 6, 10, 11, 12, 13, 18, 23, 29, 30}),
    "off": frozenset({27, 28, 33, 34, 43, 45, *range(51, 57), 63, 64, 65, 67, 68, 70, 71}),
    "failed": frozenset({14, 36, 37, 38, 39, 40, 41, 42, 44, 46, 47, 48, 49, 50, 61}),
}
_LCM_TO_PHASE = {number: phase for phase, numbers in _LCM_PHASES.items() for number in numbers}


def phase(state: int, lcm_state: int) -> VmPhase:
    """Return the phase; "unknown" for a lost host (LCM 16, 60) and for numbers not known here."""
    if state == _ACTIVE:
        return _LCM_TO_PHASE.get(lcm_state, "unknown")
    return _STATES.get(state, ("", "unknown"))[1]


def state_name(state: int, lcm_state: int) -> str:
    """Return what OpenNebula calls it, for messages: "PENDING", "ACTIVE/BOOT", "ACTIVE/69"."""
    if state == _ACTIVE:
        return f"ACTIVE/{_LCM_NAMES.get(lcm_state, lcm_state)}"
    return _STATES.get(state, (str(state), "unknown"))[0]
