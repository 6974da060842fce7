"""What a trigger of the rotation carries from one look to the next."""

from __future__ import annotations

import json

from include.fleet import Left
from include.fleet.standing import LEFT, PUT_OFF, UNABLE, Standing, as_json, from_json


def test_it_survives_as_json() -> None:
    left = Left(service="wiki", kind="blackout", reason="stocktaking", owner="web team")
    known = {
        "shop": Standing(state="running"),
        "blog": Standing(state=UNABLE, why="paused"),
        "mail": Standing(state=PUT_OFF, why="502", times=3),
        "wiki": Standing(state=LEFT, left=left),
    }

    assert from_json(json.loads(json.dumps(as_json(known)))) == known


def test_a_service_with_a_run_costs_its_state_alone() -> None:
    """Each wait of a fleet of 250 is stored with all of them."""
    assert Standing(state="success").to_json() == {"state": "success"}
