"""A new version of an image: tried first, then in every VM. A bad one leaves the old one in use."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.airflow.client import Airflow
from lab.bootstrap import IMAGE, TEMPLATE
from lab.demo import world as worlds
from lab.demo.follow import reasons
from lab.demo.probes import cloud as admin
from lab.image.build import image_path
from lab.opennebula.drivers import machine_name
from lab.settings import places
from lab.vm import Machines
from tests.lab.service import Shop
from tests.lab.test_hooks import Inside, connections, inside

__all__ = ["connections", "inside"]

pytestmark = pytest.mark.timeout(1800)
DAG = "refresh_image"
MARK = "etc/lab-image"  # what a VM shows of the version that it was made from
EVERYTHING = (-2, -1, -1)


@dataclass(frozen=True)
class Cloud:
    """OpenNebula's images, and where the VM template points, as an administrator sees them."""

    inside: Inside

    def images(self) -> dict[str, int]:
        """Return the names of all images, each with the VMs that use it."""
        found = self.inside(lambda: admin(places()).imagepool.info(*EVERYTHING).IMAGE)
        return {image.NAME: int(image.RUNNING_VMS) for image in found}

    def disk(self) -> dict[str, str]:
        """Return the disk of the VM template that all services of the lab use."""
        return dict(self._template().TEMPLATE["DISK"])

    def point(self, disk: Mapping[str, str]) -> None:
        number, one = int(self._template().ID), admin(places())
        self.inside(lambda: one.template.update(number, {"TEMPLATE": {"DISK": dict(disk)}}, 1))

    def image_of(self, vm_id: int) -> str:
        """Return the image that a VM was made from; the VM may be gone."""
        vm = self.inside(lambda: admin(places()).vm.info(vm_id))
        return str(vm.TEMPLATE["DISK"]["IMAGE"])

    def vm_ids(self, name: str) -> list[int]:
        """Return the ids of all VMs that had a name like this, also of those that are gone."""
        found = self.inside(lambda: admin(places()).vmpool.infoextended(-2, -1, -1, -2).VM)
        return [int(vm.ID) for vm in found if vm.NAME.startswith(name)]

    def _template(self) -> Any:
        pool = self.inside(lambda: admin(places()).templatepool.info(*EVERYTHING).VMTEMPLATE)
        return next(template for template in pool if template.NAME == TEMPLATE)


@pytest.fixture
def cloud(inside: Inside) -> Iterator[Cloud]:
    """The cloud; afterwards the VM template points where it did."""
    cloud = Cloud(inside)
    before = cloud.disk()
    yield cloud
    cloud.point(before)


@pytest.fixture
def refreshed(airflow: Airflow) -> Callable[..., tuple[str, str]]:
    """`refreshed(version, path)` runs the DAG to its end and returns its state and run id."""
    airflow.wait_for_dag(DAG)

    def refresh(version: str, path: Path) -> tuple[str, str]:
        run_id = airflow.trigger(DAG, image=IMAGE, version=version, path=str(path))
        return airflow.wait_for_run(DAG, run_id, 900), run_id

    return refresh


def unique() -> str:
    """Return a version that no earlier run of these tests has brought in."""
    return f"{time.time():.1f}"


def root_file_system(version: str) -> Path:
    """Return an image of its own: the lab's, with the version in a file.

    VMs run from it until the lab is taken down, so it lies with the lab's things.
    """
    folder = places().state / "images" / version
    folder.parent.mkdir(exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    origin = image_path(places().images)
    same_disk = origin.stat().st_dev == folder.parent.stat().st_dev
    how = ["--archive", *(["--link"] if same_disk else [])]
    subprocess.run(["cp", *how, str(origin), str(folder)], check=True)
    (folder / MARK).write_text(version)
    return folder


def marks(shop: Shop) -> set[str]:
    """Return the version that each VM of the service was made from, as the VM itself tells it."""
    machines = Machines(places().vms)
    read = [machines.run(machine_name(vm.vm_id), ["cat", f"/{MARK}"]) for vm in shop.vms()]
    return {answer.stdout for answer in read}


def log(airflow: Airflow, run_id: str, step: str) -> str:
    """Return what a step of a refresh has logged."""
    tasks = [task for task in airflow.tasks(DAG, run_id) if task.step == step and task.started]
    return "\n".join(line for task in tasks for line in airflow.log(DAG, run_id, task))


@pytest.mark.long
def test_a_new_version_is_tried_reaches_every_vm_and_the_old_one_goes_when_unused(
    shop: Shop, cloud: Cloud, refreshed: Callable[..., tuple[str, str]]
) -> None:
    shop.serving()
    one, two = unique(), f"{unique()}b"
    before = shop.world()

    state, run_id = refreshed(one, root_file_system(one))

    assert state == "success", reasons(shop.airflow, DAG, run_id)
    assert worlds.changes(before, shop.world()) == []  # what runs is not touched
    assert cloud.disk()["IMAGE"] == f"{IMAGE}-{one}"
    *_, trial = sorted(cloud.vm_ids("accounts-trial-"))
    assert cloud.image_of(trial) == f"{IMAGE}-{one}"
    assert "nothing is left of accounts-trial-" in log(shop.airflow, run_id, "retire_trial")

    with shop.under_load():
        assert shop.roll(replace="all")[0] == "success"
    assert marks(shop) == {one}

    path = root_file_system(two)
    state, run_id = refreshed(two, path)
    assert state == "success", reasons(shop.airflow, DAG, run_id)
    assert f"image {IMAGE}-{one} is used by 2 VMs" in log(shop.airflow, run_id, "clean_images")
    assert cloud.images()[f"{IMAGE}-{one}"] == 2

    assert shop.roll(replace="all")[0] == "success"
    assert marks(shop) == {two}
    assert refreshed(two, path)[0] == "success"  # nothing is left to do but to clean up
    assert f"{IMAGE}-{one}" not in cloud.images()
    assert cloud.images()[f"{IMAGE}-{two}"] == 2


@pytest.mark.lab
def test_an_image_whose_copy_fails_leaves_the_old_one_in_use(
    shop: Shop, cloud: Cloud, refreshed: Callable[..., tuple[str, str]]
) -> None:
    version, images, disk = unique(), cloud.images(), cloud.disk()
    shop.switches.set("fail", "image", match=f"{IMAGE}-{version}")
    try:
        state, run_id = refreshed(version, image_path(places().images))
    finally:
        shop.switches.clear()

    assert state == "failed"
    assert any("told to fail" in each for each in reasons(shop.airflow, DAG, run_id))
    assert (cloud.disk(), cloud.images()) == (disk, images)


@pytest.mark.long
def test_an_image_on_which_puppet_fails_leaves_the_old_one_in_use(
    shop: Shop, cloud: Cloud, refreshed: Callable[..., tuple[str, str]]
) -> None:
    """It boots, and no package can be installed on it."""
    version, before, images, disk = unique(), shop.world(), cloud.images(), cloud.disk()
    broken = root_file_system(version)
    (broken / "usr/bin/dpkg").unlink()  # the file of this image only: others have it linked
    (broken / "usr/bin/dpkg").write_text("#!/bin/sh\nexit 1\n")
    (broken / "usr/bin/dpkg").chmod(0o755)

    state, run_id = refreshed(version, broken)

    assert state == "failed"
    assert any("Puppet on accounts-trial-" in each for each in reasons(shop.airflow, DAG, run_id))
    assert (cloud.disk(), cloud.images()) == (disk, images)
    assert worlds.changes(before, shop.world()) == []
