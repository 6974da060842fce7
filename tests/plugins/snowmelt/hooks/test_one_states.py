"""State numbers, also those that pyone's enums do not have."""

from __future__ import annotations

import pytest

from snowmelt.hooks.one_states import phase, state_name


@pytest.mark.parametrize(
    ("state", "lcm_state", "expected"),
    [
        (0, 0, "pending"),
        (1, 0, "pending"),
        (2, 0, "held"),
        (3, 0, "starting"),
        (3, 3, "running"),
        (3, 11, "stopping"),
        (3, 16, "unknown"),
        (3, 39, "failed"),
        (3, 69, "running"),
        (3, 71, "off"),
        (3, 999, "unknown"),
        (8, 0, "off"),
        (11, 0, "failed"),
        (77, 0, "unknown"),
    ],
)
def test_a_number_has_a_phase(state: int, lcm_state: int, expected: str) -> None:
    """69 is BACKUP: the guest goes on."""
    assert phase(state, lcm_state) == expected


def test_a_state_without_a_name_shows_its_number() -> None:
    """Somebody can look it up."""
    assert state_name(3, 69) == "ACTIVE/69"
    assert state_name(3, 2) == "ACTIVE/BOOT"
    assert state_name(77, 0) == "77"
