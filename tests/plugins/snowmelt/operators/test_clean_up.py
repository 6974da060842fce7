"""Nothing grows: what is removed, and what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.state import RevocationList, StaleData
from snowmelt.errors import Missing, NotAllowed, Refused, Unreachable
from snowmelt.operators.clean_up import (
    CheckPuppetDb,
    CheckRevocationLists,
    CleanAllImages,
    CleanCertificates,
)
from tests.plugins.snowmelt.fake_images import add_image, add_template
from tests.plugins.snowmelt.kit import OLD, context, service, serving
from tests.plugins.snowmelt.world import FakeCertificate, FakeWorld

FORM: dict[str, Any] = {"keep_reports_days": 15, "max_revoked": 100, "min_days_of_list": 30}
GONE = "shop-ccccccc-0.lab.test"


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path))
    for name in ("shop", "wiki"):
        entry = service(name=name).model_dump(mode="json")
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(entry))


def expire(world: FakeWorld, certname: str) -> None:
    ended = world.clock.now - 3 * 86400
    world.certificates[certname] = FakeCertificate(
        state="signed", key="k", signed_at=ended - 10, ttl_s=10
    )


def test_an_expired_certificate_of_a_vm_that_is_gone_goes(world: FakeWorld) -> None:
    serving(world, f"shop-{OLD}-0")
    for certname in (GONE, f"shop-{OLD}-0.lab.test", "puppet.lab.test"):
        expire(world, certname)
    CleanCertificates(task_id="t").execute(context())

    assert set(world.certificates) == {f"shop-{OLD}-0.lab.test", "puppet.lab.test"}
    assert f"delete certificate of {GONE}" in world.story


def test_an_expired_certificate_that_only_reads_like_one_of_ours_stays(world: FakeWorld) -> None:
    """A database of that name, and another zone."""
    theirs = {"db-replica2-1.lab.test", "shop-ccccccc-0.corp"}
    for certname in theirs:
        expire(world, certname)
    CleanCertificates(task_id="t").execute(context())

    assert set(world.certificates) == theirs


def test_cleaning_certificates_twice_changes_nothing(world: FakeWorld) -> None:
    expire(world, GONE)
    CleanCertificates(task_id="t").execute(context())
    before = world.everything()
    CleanCertificates(task_id="t").execute(context())

    assert world.everything() == before


def a_list(entries: int) -> RevocationList:
    now = datetime.now(UTC)
    return RevocationList(
        issuer="Puppet CA",
        entries=entries,
        size_bytes=2000,
        last_update=now,
        next_update=now + timedelta(days=365),
    )


def test_a_small_revocation_list_passes(world: FakeWorld) -> None:
    world.revocation_lists = (a_list(3),)
    CheckRevocationLists(task_id="t").execute(context(**FORM))


def test_a_revocation_list_that_grew_fails_the_run(world: FakeWorld) -> None:
    world.revocation_lists = (a_list(3), a_list(101))

    with pytest.raises(Refused, match="101 entries"):
        CheckRevocationLists(task_id="t").execute(context(**FORM))


def test_a_ca_without_a_list_fails_the_run(world: FakeWorld) -> None:
    with pytest.raises(Refused, match="no revocation list"):
        CheckRevocationLists(task_id="t").execute(context(**FORM))


@pytest.mark.parametrize(
    ("stale", "told"),
    [(StaleData(nodes=2, reports=0), "node-purge-ttl"), (StaleData(nodes=0, reports=9), "report")],
)
def test_a_puppetdb_that_keeps_everything_fails_the_run(
    world: FakeWorld, stale: StaleData, told: str
) -> None:
    world.stale = stale

    with pytest.raises(Refused, match=told):
        CheckPuppetDb(task_id="t").execute(context(**FORM))


def test_a_puppetdb_that_purges_passes(world: FakeWorld) -> None:
    CheckPuppetDb(task_id="t").execute(context(**FORM))


def test_superseded_images_go_whenever_they_are_free(world: FakeWorld) -> None:
    versions: dict[str, Any] = {"family": "debian-12", "age_s": 9 * 86400}
    add_image(world, "debian-12-1", version="1", **versions)
    add_image(world, "debian-12-2", version="2", **versions)
    add_template(world, "t", "debian-12-2")
    CleanAllImages(task_id="t").execute(context())

    assert [(image.name, image.state) for image in world.images.values()] == [
        ("debian-12-1", "deleting"),
        ("debian-12-2", "ready"),
    ]


def superseded(world: FakeWorld, *versions: str) -> None:
    for version in versions:
        add_image(world, f"debian-12-{version}", family="debian-12", version=version, age_s=9e5)


def left(world: FakeWorld) -> list[str]:
    return [image.name for image in world.images.values() if image.state != "deleting"]


def test_where_a_vm_template_of_the_catalogue_is_not_shown_no_image_goes(
    world: FakeWorld,
) -> None:
    """The account lost its right to use it: what it points at looks like used by nobody."""
    superseded(world, "1", "2")
    add_template(world, "another", "debian-12-2")

    with pytest.raises(Missing, match="does not show the VM template t, which the catalogue"):
        CleanAllImages(task_id="t").execute(context())
    assert left(world) == ["debian-12-1", "debian-12-2"]


def test_nor_where_that_of_an_offer_is_not_shown(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An offer that nobody has taken up has no VM, and no service."""
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(tmp_path / "requests"))
    (tmp_path / "services").mkdir()
    (tmp_path / "shop.yaml").rename(tmp_path / "services/shop.yaml")
    entry = service().model_dump(mode="json", exclude={"name", "owner", "description", "replicas"})
    entry["opennebula"]["template"] = "plain"
    (tmp_path / "requests.yaml").write_text(yaml.safe_dump({"offers": {"plain": entry}}))
    superseded(world, "1", "2")
    add_template(world, "t", "debian-12-2")

    with pytest.raises(Missing, match="the VM template plain"):
        CleanAllImages(task_id="t").execute(context())
    add_template(world, "plain", "debian-12-1")
    CleanAllImages(task_id="t").execute(context())
    assert left(world) == ["debian-12-1", "debian-12-2"]


def test_a_service_that_has_retired_needs_no_vm_template(world: FakeWorld, tmp_path: Path) -> None:
    """Its file stays until it comes back; its template may be gone for good."""
    entry = service(name="wiki", replicas=0).model_dump(mode="json")
    entry["opennebula"]["template"] = "gone"
    (tmp_path / "wiki.yaml").write_text(yaml.safe_dump(entry))
    superseded(world, "1", "2")
    add_template(world, "t", "debian-12-2")
    CleanAllImages(task_id="t").execute(context())

    assert left(world) == ["debian-12-2"]


def test_an_image_that_may_not_be_removed_keeps_no_other(world: FakeWorld) -> None:
    """Somebody has locked it, as something to go back to."""
    superseded(world, "1", "2", "3")
    add_template(world, "t", "debian-12-3")
    world.fail("remove_image", NotAllowed("image 0 is locked"))

    with pytest.raises(NotAllowed, match="image 0 is locked"):
        CleanAllImages(task_id="t").execute(context())
    assert left(world) == ["debian-12-1", "debian-12-3"]


def test_an_opennebula_that_is_away_keeps_no_other_from_being_cleaned(
    world: FakeWorld, tmp_path: Path
) -> None:
    entry = service(name="wiki", connections={"opennebula": "z_two"}).model_dump(mode="json")
    (tmp_path / "wiki.yaml").write_text(yaml.safe_dump(entry))
    superseded(world, "1", "2")
    add_template(world, "t", "debian-12-2")
    world.fail("images", Unreachable("away"))

    with pytest.raises(Unreachable, match="away"):
        CleanAllImages(task_id="t").execute(context())
    assert left(world) == ["debian-12-2"]


def test_a_system_of_two_services_is_asked_once(world: FakeWorld) -> None:
    CheckPuppetDb(task_id="t").execute(context(**FORM))

    assert world.calls["stale"] == 1
