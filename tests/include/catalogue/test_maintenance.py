"""Windows and blackouts as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from include.catalogue.maintenance import Maintenance


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ({"time_zone": "Berlin"}, "no such time zone"),
        ({"time_zone": "../etc/passwd"}, "no such time zone"),
        ({"time_zone": "Europe"}, "no such time zone"),
        ({"windows": [{"begins": "24:00", "ends": "04:00"}]}, "write hours and minutes"),
        ({"windows": [{"begins": 1320, "ends": "04:00"}]}, "write hours and minutes"),
        ({"windows": [{"begins": "04:00", "ends": "04:00"}]}, "are the same"),
        ({"windows": [{"begins": "04:00", "ends": "05:00", "days": []}]}, "at least 1"),
        ({"windows": [{"begins": "04:00", "ends": "05:00", "days": ["Mo"]}]}, "'mon'"),
        (
            {"blackouts": [{"begins": "2026-12-24", "ends": "2026-12-23", "reason": "x"}]},
            "ends has to be after begins",
        ),
        ({"blackouts": [{"begins": "2026-12-24", "ends": "2026-12-26"}]}, "Field required"),
    ],
)
def test_a_mistake_says_how_to_mend_it(given: dict[str, Any], fix: str) -> None:
    with pytest.raises(ValidationError, match=fix):
        Maintenance.model_validate(given)
