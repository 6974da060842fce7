"""When an image can be used, and when it may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.image_facts import CloudImage, CloudTemplate, ImageSpec
from include.image_rules import gone_verdict, image_verdict, made_for, removable, users
from tests.include.test_images import ME, image, template

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


def version(number: int, **changes: Any) -> CloudImage:
    values = {"owner": ME, "family": "debian-12", "version": str(number), **changes}
    return image(f"debian-12-{number}", number, **{"registered_at": LONG_AGO, **values})


def pointing(number: int) -> CloudTemplate:
    return template(3, "t", {"IMAGE": f"debian-12-{number}", "IMAGE_UNAME": ME})


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("locked", "pending"),
        ("ready", "done"),
        ("used", "done"),
        ("error", "failed"),
        ("disabled", "failed"),
        ("deleting", "failed"),
    ],
)
def test_a_state_means(state: Any, status: str) -> None:
    assert image_verdict("debian-12-1", version(1, state=state)).status == status


def test_a_failed_copy_says_why_and_may_be_tried_again() -> None:
    verdict = image_verdict("debian-12-1", version(1, state="error", message="no space"))

    assert verdict.retryable
    assert "no space" in verdict.detail


def test_a_persistent_image_is_of_no_use() -> None:
    verdict = image_verdict("debian-12-1", version(1, persistent=True))

    assert (verdict.status, verdict.retryable) == ("failed", False)


def test_an_image_that_vanished_will_never_be_ready() -> None:
    assert image_verdict("debian-12-1", None).status == "failed"


def test_a_removed_image_is_waited_for_while_it_is_shown() -> None:
    assert gone_verdict([version(1, state="deleting")]).status == "pending"
    assert gone_verdict([]).status == "done"


def test_an_image_that_cannot_be_removed_says_why() -> None:
    left = [version(1, state="deleting"), version(2, state="error", message="no such pool")]
    verdict = gone_verdict(left)

    assert (verdict.status, verdict.retryable) == ("failed", True)
    assert "no such pool" in verdict.detail


def gone(images: list[CloudImage], *templates: CloudTemplate) -> list[str]:
    return [each.version for each in removable(images, templates, ME, NOW)]


def test_what_was_superseded_and_is_not_used_goes() -> None:
    assert gone([version(1), version(2), version(3)], pointing(3)) == ["1", "2"]


def test_what_a_vm_uses_stays() -> None:
    assert gone([version(1, vms=1), version(2)], pointing(2)) == []


def test_what_a_template_points_at_stays() -> None:
    assert gone([version(1), version(2)], pointing(1), pointing(2)) == []


def test_what_was_not_brought_in_by_us_stays() -> None:
    by_hand = image("debian-12", 0, registered_at=LONG_AGO)
    anothers = version(1, owner="bob")

    assert gone([by_hand, anothers, version(2)], pointing(2)) == []


def test_a_clone_that_somebody_made_of_one_of_ours_stays() -> None:
    """It has all attributes of ours, and supersedes nothing where a template points at it."""
    clone = replace(version(1), image_id=7, name="my-debian")
    fresh = version(3, registered_at=NOW - timedelta(minutes=5))
    pointed = template(4, "u", {"IMAGE": "my-debian", "IMAGE_UNAME": ME})

    assert gone([clone, version(2)], pointing(2)) == []
    assert gone([fresh, clone], pointed) == []


def test_one_that_is_just_coming_stays_and_one_that_was_left_goes() -> None:
    fresh = version(3, registered_at=NOW - timedelta(minutes=5))
    left = version(4, registered_at=NOW - timedelta(days=2))

    assert gone([version(2), fresh, left], pointing(2)) == ["4"]


def test_one_on_its_way_out_is_not_removed_again() -> None:
    assert gone([version(1, state="deleting"), version(2)], pointing(2)) == []


def test_families_do_not_supersede_each_other() -> None:
    other = image(
        "web-1", 5, owner=ME, family="web", version="w", registered_at=NOW - timedelta(hours=1)
    )

    assert gone([version(7), other], pointing(7)) == []


SPEC = ImageSpec(family="debian-12", version="2", path="/d", app=None, datastore_id=1, run="mine")


@pytest.mark.parametrize(
    ("changes", "mine"),
    [
        ({"run": "mine"}, True),
        ({"run": "other"}, False),
        ({"run": "", "family": ""}, False),
        ({"run": "mine", "owner": "bob"}, False),
    ],
    ids=["this run's", "another run's", "made by hand", "somebody else's"],
)
def test_a_run_takes_back_what_it_brought_in(changes: dict[str, Any], mine: bool) -> None:
    found = [version(1, run="mine"), version(2, **changes)]

    assert made_for(SPEC, found, ME) == (tuple(found[1:]) if mine else ())


def test_a_run_without_a_mark_takes_nothing_back() -> None:
    assert made_for(replace(SPEC, run=""), [version(2)], ME) == ()


def test_users_are_told_in_words() -> None:
    assert users(version(2, vms=3), [pointing(2)], ME) == ("3 VMs", "VM template t")
    assert users(version(1), [pointing(2)], ME) == ()
