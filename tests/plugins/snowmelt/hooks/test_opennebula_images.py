"""Images and the disks of VM templates, against a front-end on a real socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from include.facts import VmSpec
from include.image_facts import Disk, ImageSpec
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, NotAllowed, Refused, Unreachable
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from tests.plugins.snowmelt.hooks.fake_one import (
    FakeCloud,
    FakeOne,
    LostAnswerError,
    RefusalError,
    recorded,
    recorded_value,
)

SPEC = ImageSpec(
    family="debian-12",
    version="2",
    path="/d.qcow2",
    app=None,
    datastore_id=100,
    dev_prefix="vd",
    run="k3f7x2q",
)
TEMPLATE = 0  # of templates/02-info: two attributes, CONTEXT, NIC and one DISK


class Store:
    """Images that can be allocated and deleted, and one VM template that can be updated."""

    def __init__(self, one: FakeOne) -> None:
        self.images: dict[int, ElementTree.Element] = {}
        self.template = ElementTree.XML(recorded_value("templates_02-info"))
        self.after_allocate: Callable[[], None] = lambda: None
        one.answers.update(
            {
                "imagepool.info": lambda _: _pool("IMAGE_POOL", list(self.images.values())),
                "image.info": lambda params: _text(self._image(params[0])),
                "image.allocate": self._allocate,
                "image.delete": self._delete,
                "template.info": lambda _: _text(self.template),
                "templatepool.info": recorded("templates_13-templatepool-info"),
                "template.update": self._update,
            }
        )

    def add(self, body: str, owner: str = "airflow", state: int = 1) -> int:
        """Put an image there; *body* is what `allocate` takes."""
        given, image_id = ElementTree.XML(body), len(self.images)
        image = ElementTree.XML(recorded_value("images_04-info-ready"))
        for tag, value in {"ID": image_id, "UNAME": owner, "STATE": state}.items():
            _at(image, tag).text = str(value)
        _at(image, "NAME").text = given.findtext("NAME")
        attributes = _at(image, "TEMPLATE")
        attributes[:] = [each for each in given if each.tag != "NAME"]
        self.images[image_id] = image
        return image_id

    def set(self, image_id: int, tag: str, value: Any) -> None:
        _at(self.images[image_id], tag).text = str(value)

    def _image(self, image_id: int) -> ElementTree.Element:
        if image_id not in self.images:
            raise RefusalError(0x0400, f"[one.image.info] Error getting image [{image_id}].")
        return self.images[image_id]

    def _allocate(self, params: tuple[Any, ...]) -> int:
        name = ElementTree.XML(params[0]).findtext("NAME")
        if any(image.findtext("NAME") == name for image in self.images.values()):
            raise RefusalError(0x4000, "NAME is already taken by IMAGE 0.")
        image_id = self.add(params[0], state=4)
        self.after_allocate()
        return image_id

    def _delete(self, params: tuple[Any, ...]) -> int:
        image = self._image(params[0])
        if image.findtext("STATE") == "4" and not params[1]:
            raise RefusalError(0x2000, "Image locked, use --force flag to remove the image.")
        if int(image.findtext("RUNNING_VMS", "0")):
            raise RefusalError(0x0800, "Cannot delete image. There are 1 VMs using it.")
        _at(image, "STATE").text = "7"
        return int(params[0])

    def _update(self, params: tuple[Any, ...]) -> int:
        _id, text, merge = params
        assert merge == 1
        body, given = _at(self.template, "TEMPLATE"), ElementTree.XML(text)
        for tag in {each.tag for each in given}:
            for old in body.findall(tag):
                body.remove(old)
        body.extend(list(given))
        return TEMPLATE


def _at(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = element.find(tag)
    assert found is not None
    return found


def _text(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element).decode()


def _pool(tag: str, elements: list[ElementTree.Element]) -> str:
    pool = ElementTree.Element(tag)
    pool.extend(elements)
    return _text(pool)


@pytest.fixture
def store(one: FakeOne) -> Store:
    return Store(one)


@pytest.fixture
def hook(cloud_hook: OpenNebulaHook, store: Store) -> OpenNebulaImagesHook:
    return OpenNebulaImagesHook(cloud_hook.conn_id)


def made(store: Store) -> dict[str, str | None]:
    (image,) = store.images.values()
    return {each.tag: each.text for each in _at(image, "TEMPLATE")}


def test_an_image_is_brought_in_from_a_path(hook: OpenNebulaImagesHook, store: Store) -> None:
    image, outcome = hook.ensure_image(SPEC)

    assert outcome is Outcome.CREATED
    assert (image.name, image.owner, image.state) == ("debian-12-2", "airflow", "locked")
    assert (image.family, image.version, image.source) == ("debian-12", "2", "/d.qcow2")
    assert image.run == "k3f7x2q"
    assert made(store)["PATH"] == "/d.qcow2"
    assert made(store)["DEV_PREFIX"] == "vd"
    assert made(store)["PERSISTENT"] == "NO"


def test_an_image_is_brought_in_from_a_marketplace_app(
    hook: OpenNebulaImagesHook, store: Store, one: FakeOne
) -> None:
    hook.ensure_image(replace(SPEC, path="", app=12))

    assert made(store)["FROM_APP"] == "12"
    assert "PATH" not in made(store)
    assert one.called("image.allocate")[0][2] == 100


def test_the_same_version_again_is_the_same_image(hook: OpenNebulaImagesHook, one: FakeOne) -> None:
    first, _ = hook.ensure_image(SPEC)
    second, outcome = hook.ensure_image(SPEC)

    assert (second.image_id, outcome) == (first.image_id, Outcome.UNCHANGED)
    assert len(one.called("image.allocate")) == 1


def test_a_lost_answer_is_found_again(hook: OpenNebulaImagesHook, store: Store) -> None:
    def lose() -> None:
        raise LostAnswerError

    store.after_allocate = lose
    image, _ = hook.ensure_image(SPEC)

    assert image.name == "debian-12-2"
    assert len(store.images) == 1


def test_who_comes_second_at_the_same_moment_adopts(
    hook: OpenNebulaImagesHook, store: Store, one: FakeOne
) -> None:
    """The name is taken between the look and the call."""
    allocate = one.answers["image.allocate"]
    assert callable(allocate)

    def twice(params: tuple[Any, ...]) -> Any:
        allocate(params)
        return allocate(params)

    one.answers["image.allocate"] = twice
    _, outcome = hook.ensure_image(SPEC)

    assert outcome is Outcome.UNCHANGED
    assert len(store.images) == 1


def test_a_refusal_for_another_reason_stays_one(hook: OpenNebulaImagesHook, one: FakeOne) -> None:
    def refuse(_: tuple[Any, ...]) -> Any:
        raise RefusalError(0x0200, "User [2] : Not authorized to perform CREATE IMAGE.")

    one.answers["image.allocate"] = refuse
    with pytest.raises(NotAllowed, match="CREATE IMAGE"):
        hook.ensure_image(SPEC)


def test_an_unanswered_call_without_effect_is_tried_again_later(
    hook: OpenNebulaImagesHook, one: FakeOne
) -> None:
    def lose(_: tuple[Any, ...]) -> Any:
        raise LostAnswerError

    one.answers["image.allocate"] = lose
    with pytest.raises(Unreachable):
        hook.ensure_image(SPEC)


@pytest.mark.parametrize(
    "body",
    [
        "<T><NAME>debian-12-2</NAME></T>",
        "<T><NAME>debian-12-2</NAME><SNOWMELT_IMAGE>debian-12</SNOWMELT_IMAGE>"
        "<SNOWMELT_VERSION>2</SNOWMELT_VERSION><SNOWMELT_SOURCE>/other</SNOWMELT_SOURCE></T>",
    ],
    ids=["made by hand", "of another source"],
)
def test_another_image_of_the_name_is_never_taken(
    hook: OpenNebulaImagesHook, store: Store, body: str
) -> None:
    store.add(body)

    with pytest.raises(Conflict, match="another version"):
        hook.ensure_image(SPEC)


def test_somebody_elses_image_of_the_name_is_none_of_ours(
    hook: OpenNebulaImagesHook, store: Store, one: FakeOne
) -> None:
    """Names are unique for each owner: it is neither adopted nor a conflict."""
    store.add("<T><NAME>debian-12-2</NAME></T>", owner="bob")
    one.answers["image.allocate"] = lambda params: store.add(params[0], state=4)
    image, outcome = hook.ensure_image(SPEC)

    assert (image.owner, outcome) == ("airflow", Outcome.CREATED)


def test_one_that_is_still_being_removed_is_waited_for(
    hook: OpenNebulaImagesHook, store: Store
) -> None:
    image, _ = hook.ensure_image(SPEC)
    store.set(image.image_id, "STATE", 7)

    with pytest.raises(Busy):
        hook.ensure_image(SPEC)


def test_removing(hook: OpenNebulaImagesHook, store: Store) -> None:
    """It is readable for a moment; twice, and when it has gone, is fine."""
    image, _ = hook.ensure_image(SPEC)
    store.set(image.image_id, "STATE", 1)

    assert hook.remove_image(image.image_id) is Outcome.REMOVED
    assert hook.remove_image(image.image_id) is Outcome.UNCHANGED
    store.images.clear()
    assert hook.remove_image(image.image_id) is Outcome.UNCHANGED


def test_a_copy_that_hangs_is_removed_by_force(hook: OpenNebulaImagesHook) -> None:
    image, _ = hook.ensure_image(SPEC)

    assert image.state == "locked"
    assert hook.remove_image(image.image_id) is Outcome.REMOVED


def test_an_image_in_use_is_not_removed(hook: OpenNebulaImagesHook, store: Store) -> None:
    image, _ = hook.ensure_image(SPEC)
    store.set(image.image_id, "STATE", 2)
    store.set(image.image_id, "RUNNING_VMS", 1)

    with pytest.raises(Busy):
        hook.remove_image(image.image_id)


def test_a_failed_copy_shows_its_reason(one: FakeOne, hook: OpenNebulaImagesHook) -> None:
    one.answers["image.info"] = recorded("images_11-info-error")
    image = hook.image(2)

    assert image
    assert image.state == "error"
    assert image.message.endswith("dummy datastore cp told to fail")


def test_templates_show_their_disks(hook: OpenNebulaImagesHook) -> None:
    by_name = {template.name: template for template in hook.templates()}

    (disk,) = by_name["app"].disks
    assert disk["IMAGE"] == "base-os-1"
    assert by_name["app"].owner == "oneadmin"


def test_new_disks_change_nothing_else_in_the_template(
    hook: OpenNebulaImagesHook, store: Store, one: FakeOne
) -> None:
    body = _at(store.template, "TEMPLATE")
    before = [_text(each).strip() for each in body if each.tag != "DISK"]
    disks = [{"IMAGE": "debian-12-2", "IMAGE_UNAME": "airflow", "CACHE": "none"}, {"SIZE": "10"}]

    there = disks_of(hook)

    assert hook.ensure_disks(TEMPLATE, disks, instead_of=there) is Outcome.CREATED
    assert hook.ensure_disks(TEMPLATE, disks, instead_of=there) is Outcome.UNCHANGED
    after = [_text(each).strip() for each in body if each.tag != "DISK"]
    assert after == before
    assert len(body.findall("DISK")) == 2
    assert len(one.called("template.update")) == 1


def test_an_empty_value_of_a_disk_stays_empty(hook: OpenNebulaImagesHook, store: Store) -> None:
    """SIZE="" in the template: the text "None" is no size."""
    ElementTree.SubElement(_at(store.template, "TEMPLATE/DISK"), "SIZE")
    (disk,) = hook._disks(TEMPLATE)
    assert disk["SIZE"] == ""

    hook.ensure_disks(TEMPLATE, [{**disk, "IMAGE": "debian-12-2"}], instead_of=[disk])
    assert "None" not in _text(store.template)


def disks_of(hook: OpenNebulaImagesHook) -> tuple[Disk, ...]:
    """Return the disks of the template that the tests update."""
    return next(t.disks for t in hook.templates() if t.template_id == TEMPLATE)


def test_disks_that_somebody_changed_meanwhile_are_not_overwritten(
    hook: OpenNebulaImagesHook, one: FakeOne
) -> None:
    with pytest.raises(Conflict, match="somebody has changed"):
        hook.ensure_disks(TEMPLATE, [{"IMAGE": "new"}], instead_of=[{"IMAGE": "long ago"}])
    assert not one.called("template.update")


def test_a_vm_gets_other_disks_than_its_template_has(
    one: FakeOne, hook: OpenNebulaImagesHook
) -> None:
    FakeCloud(one)
    spec = VmSpec(
        name="shop-trial-k3f7x2q-0",
        fqdn="shop-trial-k3f7x2q-0.lab.test",
        template="app",
        service="shop-trial",
        rollout="k3f7x2q",
        slot=0,
        release="1.1",
        cpu=0.5,
        vcpu=1,
        memory_mb=256,
        disks=({"IMAGE": "debian-12-2", "SIZE": "900"}, {"SIZE": "10"}),
    )
    hook.ensure_vm(spec)
    extra = ElementTree.XML(one.called("template.instantiate")[0][4])

    disks = extra.findall("DISK")
    assert [disk.findtext("IMAGE") for disk in disks] == ["debian-12-2", None]


def test_values_that_could_become_another_attribute_are_refused(
    hook: OpenNebulaImagesHook, one: FakeOne
) -> None:
    with pytest.raises(Refused):
        hook.ensure_image(replace(SPEC, path="/d]]><SOURCE>x"))
    assert not one.called("image.allocate")
