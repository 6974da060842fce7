"""What the audit says of things that no service of the catalogue has."""

from __future__ import annotations

import pytest

from tests.include.audit.fleet import GONE, Fleet


@pytest.mark.parametrize(
    ("name", "doubt"),
    [
        (f"blog-{GONE}-0", "the catalogue has no service blog"),
        (
            f"shop-trial-{GONE}-0",
            "of a trial by `refresh_image`: its run, or the next trial of shop, removes it",
        ),
    ],
)
def test_a_vm_of_no_service_is_left_alone_and_says_who_may_know_it(name: str, doubt: str) -> None:
    fleet = Fleet()
    fleet.add_vm(name, "shop")

    (judged,) = fleet.judged()

    assert (judged.finding.kind, judged.safe) == ("foreign", False)
    assert judged.finding.doubt == doubt
