"""What people may ask for, for how long, and when they are reminded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.catalogue.loader import CatalogueError
from include.catalogue.model import Service
from include.catalogue.requests import (
    RequestPolicy,
    end_of,
    expired,
    extended,
    is_ending,
    load_policy,
    merged,
    new_request,
    policy_file,
)
from tests.forms import REQUEST

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
POLICY = load_policy()


def entry(**asked: Any) -> Service:
    return new_request(POLICY, "vm-abc", {**REQUEST, **asked}, NOW)


def test_a_requested_vm_is_a_service_of_one_replica_that_expires() -> None:
    made = entry()

    assert (made.name, made.owner, made.description) == ("vm-abc", "Ada", "try a parser")
    assert made.replicas == 1
    assert made.expires_at == NOW + timedelta(days=2)
    assert made.opennebula.memory_mb == POLICY.sizes["small"].memory_mb
    assert made.puppet.role == "base"
    assert made.puppet.server == "puppet.lab.test"


@pytest.mark.parametrize("offer", POLICY.offers)
@pytest.mark.parametrize("size", POLICY.sizes)
def test_every_offer_of_this_repository_makes_an_entry(offer: str, size: str) -> None:
    assert entry(offer=offer, size=size).monitoring


def test_a_release_package_can_be_asked_for_at_another_release() -> None:
    assert entry(offer="shop").release == "1.0"
    assert entry(offer="shop", release="1.1").release == "1.1"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"size": "gone"}, "^size: gone is not in requests.yaml; there are small"),
        ({"offer": "gone"}, "^offer: gone is not in requests.yaml; there are "),
        ({"release": "§"}, "^release: .*, not '§'$"),
    ],
)
def test_what_cannot_be_names_the_field_and_what_there_is(asked: Any, told: str) -> None:
    """A form is as it was when it was opened; a size may have gone since."""
    with pytest.raises(ValueError, match=told):
        entry(**asked)


def test_a_name_that_a_trial_of_an_image_may_have_is_refused() -> None:
    with pytest.raises(ValueError, match="accounts-trial: names that end in -trial"):
        new_request(POLICY, "accounts-trial", REQUEST, NOW)


def test_what_is_asked_again_is_the_same() -> None:
    assert entry() == entry()


@pytest.mark.parametrize("lifetime", ["31d", "0d", "soon", "-1d"])
def test_a_lifetime_beyond_the_limit_is_refused(lifetime: str) -> None:
    with pytest.raises(ValueError, match=r"lifetime|write a number"):
        end_of(POLICY, lifetime, NOW)


def test_a_limit_below_a_day_is_told_as_it_is_written() -> None:
    short = RequestPolicy.model_validate({"lifetime": "2h", "longest": "12h"})

    with pytest.raises(ValueError, match="a lifetime of 1d: it may be 12h at most"):
        end_of(short, "1d", NOW)


def test_without_a_lifetime_it_is_that_of_the_policy() -> None:
    assert end_of(POLICY, None, NOW) == NOW + timedelta(days=7)


def test_an_extension_counts_from_now_and_changes_nothing_else() -> None:
    later = NOW + timedelta(days=1)
    longer = extended(POLICY, entry(), "2d", later)

    assert longer.expires_at == later + timedelta(days=2)
    assert longer.model_copy(update={"expires_at": None}) == entry().model_copy(
        update={"expires_at": None}
    )


def test_it_expires_at_its_end_and_not_before() -> None:
    made = entry(lifetime="1h")
    end = NOW + timedelta(hours=1)

    assert not expired([made], end - timedelta(seconds=1))
    assert expired([made], end) == [made]


@pytest.mark.parametrize(
    ("lifetime", "hours", "told"),
    [
        ("2d", 23, False),
        ("2d", 24, True),
        ("3d", 47, False),
        ("3d", 48, True),
        ("4h", 1, False),
        ("4h", 2, True),
    ],
)
def test_the_end_is_told_a_day_before_and_of_a_short_life_at_its_half(
    lifetime: str, hours: int, told: bool
) -> None:
    made = entry(lifetime=lifetime)

    assert is_ending(POLICY, made, NOW, NOW + timedelta(hours=hours)) is told


def test_what_an_offer_says_itself_holds() -> None:
    assert merged({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}}) == {
        "a": 1,
        "b": {"c": 4, "d": 3},
    }


def test_the_policy_is_above_the_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))

    assert policy_file() == tmp_path / "requests.yaml"
    assert load_policy() == RequestPolicy()


def test_a_mistake_in_the_policy_names_file_and_field(tmp_path: Path) -> None:
    file = tmp_path / "requests.yaml"
    file.write_text("sizes: {small: {cpu: 0, vcpu: 1, memory_mb: 64}}\n")

    with pytest.raises(CatalogueError, match=r"requests\.yaml: sizes\.small\.cpu"):
        load_policy(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"puppet": {"rol": "web"}}, "offers.base.puppet.rol: unknown key"),
        ({"release": 1.0}, 'offers.base.release: is a number: put it in quotes, "1.0"'),
        ({"opennebula": "small"}, "offers.base.opennebula.template: is missing"),
    ],
    ids=str,
)
def test_a_mistake_in_an_offer_is_told_before_anybody_asks(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    """Who asks for it cannot mend it."""
    policy = POLICY.model_dump(mode="json")
    policy["offers"]["base"] |= change
    (tmp_path / "requests.yaml").write_text(yaml.safe_dump(policy))

    with pytest.raises(CatalogueError, match=re.escape(told)):
        load_policy(tmp_path / "requests.yaml")


def test_a_usual_lifetime_beyond_the_longest_is_told(tmp_path: Path) -> None:
    (tmp_path / "requests.yaml").write_text("{lifetime: 40d, longest: 30d}")

    with pytest.raises(CatalogueError, match="lifetime is longer than longest"):
        load_policy(tmp_path / "requests.yaml")
