"""The trial of an image is a service of its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.images import CannotRefresh
from include.planner import Seen, SeenVm, parse_name
from include.trial import trial_plan, trial_service, tried_release
from tests.include.planner.services import shop

SHOP = shop()


def test_a_trial_is_as_its_service_but_takes_no_traffic() -> None:
    trial = trial_service(SHOP, ["shop", "wiki"])

    assert (trial.name, trial.replicas) == ("shop-trial", 1)
    assert trial.balancer is None
    assert trial.monitoring is None
    assert (trial.puppet, trial.opennebula, trial.dns) == (SHOP.puppet, SHOP.opennebula, SHOP.dns)


def test_a_service_that_rolls_can_be_tried_too() -> None:
    rolling = shop(strategy="rolling", surge=1, max_unavailable=0)

    assert trial_service(rolling, ["shop"]).strategy == "blue_green"


def test_a_long_name_still_makes_a_certname_that_fits() -> None:
    long = shop(name="a" * 40)
    trial = trial_service(long, [long.name])
    name = f"{trial.name}-bbbbbbb-0"

    assert parse_name(name)
    assert len(trial.fqdn(name)) <= 64
    assert len(trial.name) <= 40


def test_services_whose_names_begin_alike_have_trials_of_their_own() -> None:
    zone = {"zone": "eu-central-1.prod.example.org"}
    long = [shop(name=f"payments-gateway-{place}", dns=zone) for place in ("eu", "us")]
    trials = [trial_service(each, [each.name for each in long]) for each in long]
    names = {trial.name for trial in trials}

    assert len(names) == 2
    assert all(name.startswith("payments-") and name.endswith("-trial") for name in names)
    assert all(len(trial.fqdn(f"{trial.name}-bbbbbbb-0")) <= 64 for trial in trials)


def test_a_service_of_the_catalogue_is_never_taken_for_a_trial() -> None:
    with pytest.raises(CannotRefresh, match="shop-trial"):
        trial_service(SHOP, ["shop", "shop-trial"])


def test_a_service_without_vms_can_be_tried_too() -> None:
    assert trial_service(shop(replicas=0), ["shop"]).replicas == 1


def test_a_trial_makes_one_vm_whose_name_is_ours() -> None:
    trial = trial_service(SHOP, ["shop"])
    (vm,) = trial_plan(trial, "bbbbbbb", "1.0", Seen()).new

    assert parse_name(vm.name) == ("shop-trial", "bbbbbbb", 0)
    assert vm.fqdn == "shop-trial-bbbbbbb-0.lab.test"


def seen(rollout: str) -> SeenVm:
    name = f"shop-trial-{rollout}-0"
    return SeenVm(
        name=name,
        fqdn=f"{name}.lab.test",
        slot=0,
        rollout=rollout,
        release="1.0",
        vm_id=4,
        address="198.18.0.4",
        phase="running",
        state="ACTIVE/RUNNING",
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def test_what_a_crashed_trial_left_goes_and_its_own_vm_is_adopted() -> None:
    trial = trial_service(SHOP, ["shop"])
    plan = trial_plan(trial, "bbbbbbb", "1.0", Seen(vms=(seen("ccccccc"), seen("bbbbbbb"))))

    assert [vm.name for vm in plan.leftovers] == ["shop-trial-ccccccc-0"]
    assert [vm.name for vm in plan.new] == ["shop-trial-bbbbbbb-0"]


@pytest.mark.parametrize(
    ("running", "release"), [([], "1.0"), (["1.1", "1.1"], "1.1"), (["1.1", "1.2"], "1.0")]
)
def test_the_release_that_runs_is_tried(running: list[str], release: str) -> None:
    assert tried_release(SHOP, running) == release
