"""What a service may not be, said in sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from include.catalogue import Service, load_service
from include.catalogue.loader import DEFAULT_FOLDER
from tests.include.planner.services import shop


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"surge": 0, "max_unavailable": 0, "replicas": 0},
            "surge and max_unavailable are both 0: nothing could ever move",
        ),
        ({"surge": 1}, "surge 1 < replicas 2"),
        ({"strategy": "rolling"}, "rolling needs surge or max_unavailable"),
        ({"max_unavailable": 2}, "a rollout could leave none serving"),
        ({"monitoring": None}, "balancer without monitoring"),
        ({"max_age": "7d"}, "a VM would outlive its certificate"),
        ({"drain": {"deadline": "10s", "idle": "20s"}}, "no drain could end early"),
        ({"name": "a" * 40, "dns": {"zone": "cloud.example.com"}}, "shorten name or dns.zone by 6"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changes: dict[str, Any], sentence: str) -> None:
    """Each with a sentence that says what would happen."""
    with pytest.raises(ValidationError, match=sentence.replace(".", r"\.")):
        shop(**changes)


@pytest.mark.parametrize("name", ["Shop", "shop_1", "-shop", "shop-", "1shop", "a" * 41, ""])
def test_a_name_that_is_no_dns_label_is_refused(name: str) -> None:
    """VMs are named after it."""
    with pytest.raises(ValidationError, match="name"):
        shop(name=name)


@pytest.mark.parametrize("choice", ["rolling_back", "BLUE_GREEN", ""])
def test_a_strategy_that_does_not_exist_is_refused(choice: str) -> None:
    """Closed choices."""
    with pytest.raises(ValidationError, match="strategy"):
        shop(strategy=choice)


def test_rolling_may_have_less_surge_than_replicas() -> None:
    """It replaces a few at a time."""
    assert shop(strategy="rolling", surge=1).surge == 1
    assert shop(strategy="rolling", max_unavailable=1).surge is None


def test_a_service_cannot_be_changed_after_loading() -> None:
    """What was planned is what is done."""
    with pytest.raises(ValidationError, match="frozen"):
        Service.__setattr__(shop(), "replicas", 3)


def test_a_service_travels_through_json() -> None:
    """A rollout is pinned to the catalogue entry that it was planned by."""
    service = load_service("shop", DEFAULT_FOLDER)

    assert Service.model_validate(service.model_dump(mode="json")) == service


def test_durations_are_read_as_people_write_them() -> None:
    """90s, 10m, 24h, 7d."""
    service = shop(max_age="36h", puppet={"server": "p.lab.test", "role": "r"})

    assert service.max_age == timedelta(hours=36)
    assert service.puppet.certificate_ttl == timedelta(days=3)
    assert service.model_dump(mode="json")["max_age"] == "36h"


def test_a_reverse_zone_that_was_named_before_is_passed_over() -> None:
    """Nothing ever read it; requests and runs that were written with it live on."""
    before = shop(dns={"zone": "lab.test", "reverse_zone": "0.18.198.in-addr.arpa"})

    assert before == shop(dns={"zone": "lab.test"})
