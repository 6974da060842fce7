"""What a new VM has and its predecessor has not, and the other way round."""

from __future__ import annotations

from typing import Any

from include.proof import compare
from include.proof.differences import INVENTORY


def facts(packages: dict[str, str], listening: list[str], **other: Any) -> dict[str, Any]:
    return {INVENTORY: {"packages": packages, "listening": listening}, **other}


OLD = facts({"curl": "7.88", "nmap": "7.93"}, ["tcp 8080", "tcp 4444"])
NEW = facts({"curl": "7.89", "snowflake-free": "1"}, ["tcp 8080"])


def told(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(each) for each in compare(old, new)]


def test_what_was_put_on_the_old_vm_by_hand_is_named() -> None:
    assert told(OLD, NEW) == [
        "package curl: 7.88 -> 7.89",
        "package nmap 7.93: on the old VM only",
        "package snowflake-free 1: on the new VM only",
        "listens on tcp 4444 open: on the old VM only",
    ]


def test_equal_vms_have_no_differences() -> None:
    assert told(OLD, OLD) == []


def test_a_fact_that_should_not_differ_is_named_down_to_the_part() -> None:
    old = {"os": {"family": "Debian", "release": {"full": "12.7"}}, "uptime": "1 day"}
    new = {"os": {"family": "Debian", "release": {"full": "12.8"}}, "uptime": "0:01 hours"}

    assert told(old, new) == ["fact os.release.full: 12.7 -> 12.8"]


def test_a_vm_that_was_never_asked_says_nothing() -> None:
    assert told({"kernelrelease": "6.1"}, {**NEW, "kernelrelease": "6.1"}) == []
