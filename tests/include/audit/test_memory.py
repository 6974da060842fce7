"""What one audit leaves to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from include.audit import Finding, Memory, remember
from tests.include.audit.fleet import NOW

HOUR = timedelta(hours=1)
SHOP = {"shop"}
NODE = Finding(system="PuppetDB", thing="node x", kind="orphan", reason="its VM is gone")


def test_what_is_seen_for_the_first_time_is_new() -> None:
    assert Memory().since(NODE, NOW) == NOW


def test_what_an_earlier_audit_saw_counts_from_then() -> None:
    first = remember(Memory(), [NODE], [], SHOP, NOW - 2 * HOUR)
    second = remember(first, [NODE], [], SHOP, NOW - HOUR)

    assert second.since(NODE, NOW) == NOW - 2 * HOUR


def test_what_was_mended_and_comes_again_begins_anew() -> None:
    seen = remember(Memory(), [NODE], [], SHOP, NOW - 2 * HOUR)
    mended = remember(seen, [], [], SHOP, NOW - HOUR)

    assert mended.since(NODE, NOW) == NOW
    assert mended.seen == {}


def test_a_thing_that_tells_its_age_needs_no_memory() -> None:
    assert Memory().since(replace(NODE, since=NOW - HOUR), NOW) == NOW - HOUR


def test_rollouts_that_were_alive_are_known_for_a_week() -> None:
    memory = remember(Memory(), [], ["shop-k3f7x2q"], SHOP, NOW - timedelta(days=6))

    assert remember(memory, [], ["shop-q2w4e7r"], SHOP, NOW).known == {
        "shop-k3f7x2q",
        "shop-q2w4e7r",
    }
    assert remember(memory, [], [], SHOP, NOW + timedelta(days=2)).known == frozenset()


def test_a_rollout_is_known_for_as_long_as_something_of_it_is_left() -> None:
    """Where nobody repairs for a week, what is left must not become a stranger's."""
    memory = remember(Memory(), [], ["shop-k3f7x2q"], SHOP, NOW - timedelta(days=8))
    left = replace(NODE, name="shop-k3f7x2q-1")

    assert remember(memory, [left], [], SHOP, NOW).known == {"shop-k3f7x2q"}


LOST = replace(NODE, kind="dead", name="shop-k3f7x2q-1", act="rollout")


def test_vms_that_are_missed_are_remembered_until_the_next_audit() -> None:
    memory = remember(Memory(), [LOST], [], SHOP, NOW)

    assert memory.lost == {"shop-k3f7x2q-1"}
    assert remember(memory, [], [], SHOP, NOW).lost == frozenset()


def test_a_vm_that_was_never_replaced_is_remembered_for_as_long_as_it_is_found() -> None:
    """But not as what the last audit missed, which is healed."""
    memory = remember(Memory(), [replace(LOST, act="nothing")], [], SHOP, NOW)

    assert memory.lost == frozenset()
    assert memory.missed == {"shop-k3f7x2q-1"}
    assert remember(memory, [], [], SHOP, NOW).missed == frozenset()


def test_vms_that_are_missed_are_not_forgotten_while_the_file_of_their_service_is_broken() -> None:
    """But for no longer than their rollout is known: the file may be gone for good."""
    memory = remember(Memory(), [LOST], ["shop-k3f7x2q"], SHOP, NOW)
    broken = remember(memory, [], [], {"worker"}, NOW + HOUR)
    again = remember(broken, [], [], {"worker"}, NOW + 2 * HOUR)

    assert broken.missed == again.missed == {"shop-k3f7x2q-1"}
    assert remember(again, [], [], SHOP, NOW + 3 * HOUR).missed == frozenset()
    assert remember(again, [], [], {"worker"}, NOW + timedelta(days=8)).missed == frozenset()
