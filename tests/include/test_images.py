"""Which VM templates follow to a new version of an image, and what changes in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from include.catalogue.model import Service
from include.image_facts import CloudImage, CloudTemplate, Disk
from include.images import CannotRefresh, Images, Refresh, Wish, plan_refresh, pointed_at
from tests.include.planner.services import shop

ME = "snowmelt"
BY_HAND: Disk = {"IMAGE": "debian-12", "IMAGE_UNAME": "oneadmin", "SIZE": "900", "CACHE": "none"}
DATA: Disk = {"IMAGE_ID": "9"}


def image(name: str, image_id: int = 0, **changes: Any) -> CloudImage:
    values: dict[str, Any] = {
        "image_id": image_id,
        "name": name,
        "owner": "oneadmin",
        "state": "ready",
        "datastore_id": 1,
        "registered_at": datetime(2026, 11, 1, tzinfo=UTC),
        **changes,
    }
    return CloudImage(**values)


def template(template_id: int, name: str, *disks: Disk, owner: str = "oneadmin") -> CloudTemplate:
    return CloudTemplate(template_id=template_id, name=name, owner=owner, disks=disks)


def using(name: str, template_name: str, replicas: int = 2) -> Service:
    cloud = {"template": template_name, "cpu": 1, "vcpu": 1, "memory_mb": 256}
    return shop(name=name, opennebula=cloud, replicas=replicas)


DEBIAN = image("debian-12", datastore_id=7, dev_prefix="vd")
FIRST = image("debian-12-1", 1, owner=ME, family="debian-12", version="1")
OTHERS = image("data", 9)
IMAGES = [DEBIAN, FIRST, OTHERS]


def refresh(
    templates: list[CloudTemplate], *services: Service, family: str = "debian-12", **wish: Any
) -> Refresh:
    asked = Wish(family=family, version="2", **(wish or {"path": "/d.qcow2"}))
    return plan_refresh(asked, services or (using("shop", "t"),), templates, IMAGES, ME)


def test_the_image_made_by_hand_is_followed_by_its_first_version() -> None:
    found = refresh([template(3, "t", BY_HAND)])

    (change,) = found.changes
    assert (change.template_id, change.service, found.follows) == (3, "shop", "debian-12")
    assert change.after == ({**BY_HAND, "IMAGE": "debian-12-2", "IMAGE_UNAME": ME},)
    assert change.before == (BY_HAND,)


def test_a_version_is_followed_by_the_next() -> None:
    found = refresh([template(3, "t", {"IMAGE": "debian-12-1", "IMAGE_UNAME": ME})])

    assert found.follows == "debian-12-1"
    assert found.changes[0].after[0]["IMAGE"] == "debian-12-2"


def test_the_new_image_goes_where_the_old_one_is() -> None:
    spec = refresh([template(3, "t", BY_HAND)]).image

    assert (spec.name, spec.datastore_id, spec.dev_prefix) == ("debian-12-2", 7, "vd")
    assert spec.source == "/d.qcow2"


def test_a_marketplace_app_is_a_source_too() -> None:
    assert refresh([template(3, "t", BY_HAND)], app=12).image.source == "app:12"


@pytest.mark.parametrize("source", [{}, {"path": "/d", "app": 1}])
def test_there_is_one_source(source: dict[str, Any]) -> None:
    with pytest.raises(CannotRefresh, match="one of the two"):
        Wish(family="debian-12", version="2", **source)


def test_other_disks_stay_in_their_places() -> None:
    found = refresh([template(3, "t", DATA, BY_HAND)])

    assert found.changes[0].after[0] == DATA
    assert found.changes[0].after[1]["IMAGE"] == "debian-12-2"


def test_templates_of_other_images_do_not_change() -> None:
    found = refresh(
        [template(3, "t", BY_HAND), template(4, "u", DATA)], using("shop", "t"), using("db", "u")
    )

    assert [change.name for change in found.changes] == ["t"]


def test_templates_that_no_service_uses_do_not_change() -> None:
    found = refresh([template(3, "t", BY_HAND), template(4, "somebodys", BY_HAND)])

    assert [change.name for change in found.changes] == ["t"]


def test_each_template_is_tried_once_by_a_service_that_runs_vms() -> None:
    services = [using("a", "t", replicas=0), using("shop", "t"), using("wiki", "t")]
    found = refresh([template(3, "t", BY_HAND)], *services)

    assert [(change.name, change.service) for change in found.changes] == [("t", "shop")]


def test_what_somebody_asked_for_tries_nothing_where_others_can() -> None:
    asked = using("a", "t").model_copy(update={"expires_at": datetime(2026, 12, 1, tzinfo=UTC)})
    (change,) = refresh([template(3, "t", BY_HAND)], asked, using("shop", "t")).changes
    (alone,) = refresh([template(3, "t", BY_HAND)], asked).changes

    assert (change.service, alone.service) == ("shop", "a")


def test_who_points_at_the_version_already_has_nothing_to_change() -> None:
    there = image("debian-12-2", 5, owner=ME, family="debian-12", version="2")
    found = plan_refresh(
        Wish(family="debian-12", version="2", path="/d"),
        [using("shop", "t")],
        [template(3, "t", {"IMAGE": "debian-12-2", "IMAGE_UNAME": ME})],
        [*IMAGES, there],
        ME,
    )

    assert found.changes == ()
    assert "already" in str(found)


def test_our_own_template_comes_before_another_of_the_same_name() -> None:
    found = refresh([template(3, "t", BY_HAND), template(4, "t", BY_HAND, owner=ME)])

    assert [change.template_id for change in found.changes] == [4]


def test_a_name_that_several_others_have_is_nobodys() -> None:
    twins = [template(3, "t", BY_HAND), template(4, "t", BY_HAND, owner="bob")]

    with pytest.raises(CannotRefresh):
        refresh(twins)


def test_an_image_that_nothing_uses_is_refused_with_what_there_is() -> None:
    with pytest.raises(CannotRefresh, match=r"debian-12 \(t\)"):
        refresh([template(3, "t", BY_HAND)], family="ubuntu")


def test_a_decision_survives_the_journey_between_tasks() -> None:
    found = refresh([template(3, "t", DATA, BY_HAND)])

    assert Refresh.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_disk_without_an_image_is_of_no_family() -> None:
    named = Images(IMAGES, ME)

    assert named.of({"SIZE": "10", "TYPE": "fs"}) is None
    assert named.of_family({"SIZE": "10"}, "") is None


@pytest.mark.parametrize(
    "disk", [{"IMAGE_ID": "0"}, {"IMAGE": "debian-12", "IMAGE_UID": "0"}, dict(BY_HAND)]
)
def test_every_way_to_name_an_image_is_replaced(disk: Disk) -> None:
    rest = {key: value for key, value in disk.items() if not key.startswith("IMAGE")}

    assert pointed_at(disk, "debian-12-2", ME) == {
        "IMAGE": "debian-12-2",
        "IMAGE_UNAME": ME,
        **rest,
    }
