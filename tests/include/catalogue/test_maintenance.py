"""Windows and blackouts as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from include.catalogue.maintenance import Maintenance


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ({"time_zone": "Berlin"}, "no such time zone"),
        ({"time_zone": "../etc/passwd"}, "no such time zone"),
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


def test_a_blackout_is_meant_in_the_services_own_time_zone() -> None:
    found = Maintenance.model_validate(
        {
            "time_zone": "America/New_York",
            "blackouts": [{"begins": "2026-11-27", "ends": "2026-11-28", "reason": "sale"}],
        }
    )

    assert found.blackout_at(datetime(2026, 11, 27, 4, 59, tzinfo=UTC)) is None
    assert found.blackout_at(datetime(2026, 11, 27, 5, 0, tzinfo=UTC)) == found.blackouts[0]
    assert found.blackout_at(datetime(2026, 11, 28, 5, 0, tzinfo=UTC)) is None
