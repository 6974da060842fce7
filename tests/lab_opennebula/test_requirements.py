"""SCHED_REQUIREMENTS."""

import pytest

from lab.opennebula.requirements import meets

HOST = {"ID": "2", "NAME": "host-2", "HYPERVISOR": "dummy", "CPUSPEED": "3200"}


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("", True),
        ('HYPERVISOR="dummy"', True),
        ('NAME="other"', False),
        ('ID="1" | ID="2"', True),
        ('ID="2" & !(NAME="host-2")', False),
        ('NAME="host-*"', True),
        ("CPUSPEED > 3000", True),
        ('NAME != "host-2"', False),
        ("NAME =", False),
    ],
)
def test_expressions(expression: str, fits: bool) -> None:
    """Nonsense fits no host."""
    assert meets(expression, HOST) is fits
