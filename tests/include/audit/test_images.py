"""Images that nothing uses are listed, and left to what removes them."""

from __future__ import annotations

from datetime import timedelta

from include.audit import find
from include.audit.facts import FleetFacts
from include.image_facts import CloudImage
from tests.include.audit.fleet import CONNS, NOW, Fleet


def test_an_image_that_nothing_uses_is_listed_and_left_alone() -> None:
    image = CloudImage(
        image_id=7,
        name="debian-12-20261124",
        owner="snowmelt",
        state="error",
        datastore_id=1,
        registered_at=NOW - timedelta(days=2),
        family="debian-12",
    )
    views = Fleet().views()
    (found,) = find(views, FleetFacts(images={CONNS["opennebula"]: [image]}))[-1:]

    assert (found.thing, found.kind) == ("image 7 debian-12-20261124", "held")
    assert found.since == image.registered_at
    assert found.act == "nothing"
    assert "clean_up" in found.doubt
