"""A chain of proofs tells what was altered, and on which day."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.proof import check_chain, day_of, page, seal, text_of
from include.proof.chain import is_as_written
from tests.include.proof.samples import DAYS, KEY, chain, proof, sign, verified, vm

FIRST, MIDDLE, LAST = DAYS


def findings(texts: dict[str, str], pages: dict[str, str]) -> list[str]:
    return [f"{each.kind}: {each}" for each in check_chain(texts, pages, verified)]


def changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    file = json.loads(text)
    change(file)
    return text_of(file)


def test_a_chain_as_it_was_written_has_no_findings() -> None:
    assert findings(*chain()) == []


def test_a_changed_byte_anywhere_in_a_file_names_its_day() -> None:
    """One in 23 is changed in turn: all of them would take a quarter of a minute."""
    texts, pages = chain()
    text = texts[MIDDLE]

    for at in range(0, len(text), 23):
        other = "x" if text[at] != "x" else "y"
        spoilt = {**texts, MIDDLE: text[:at] + other + text[at + 1 :]}
        assert any(f.day == MIDDLE for f in check_chain(spoilt, pages, verified)), text[at : at + 9]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: f["proof"]["vms"][1].update(vm_id=9), "vms/shop-aaaaaaa-1 was altered"),
        (lambda f: f["proof"]["vms"].pop(), "vms/shop-aaaaaaa-1 was taken out"),
        (lambda f: f["proof"]["vms"].append({"name": "x"}), "vms/x was put in"),
        (lambda f: f["proof"]["vms"].reverse(), "vms (their number and order) was altered"),
        (
            lambda f: f["proof"]["exceptions"][0].update(reason="forgot"),
            "exceptions/wiki was altered",
        ),
        (lambda f: f["proof"]["services"][0].update(state="failed"), "services/shop was altered"),
        (lambda f: f["proof"].update(objections=["x"]), "objections was altered"),
        (lambda f: f["proof"].update(more=1), "more was put in"),
        (lambda f: f["proof"].pop("gate"), "gate was taken out"),
        (lambda f: f["seal"].update(hash="0" * 64), "the hash is not that of its parts"),
        (lambda f: f["seal"].update(key="0" * 64), "not by a key of the installation"),
        (lambda f: f["seal"].update(more=1), "the seal has other parts"),
        (lambda f: f.update(more=1), "other parts than a proof and its seal"),
    ],
)
def test_what_was_altered_is_named(change: Callable[[dict[str, Any]], object], named: str) -> None:
    texts, pages = chain()
    texts[MIDDLE] = changed(texts[MIDDLE], change)

    assert any(f": {MIDDLE}: " in each and named in each for each in findings(texts, pages))
    assert not is_as_written(MIDDLE, texts[MIDDLE], verified)


def test_a_part_and_its_digest_altered_together_show_in_the_hash() -> None:
    texts, pages = chain()
    file = json.loads(texts[MIDDLE])
    made = proof(MIDDLE, None, vms=(vm(vm_id=99),)).model_dump(mode="json")
    forged = seal(made, pages[MIDDLE], KEY, sign)
    file["proof"], file["seal"]["digests"] = made, forged["seal"]["digests"]
    texts[MIDDLE] = text_of(file)

    assert f"altered: {MIDDLE}: the hash is not that of its parts" in findings(texts, pages)


def test_a_day_that_was_sealed_anew_by_another_key_is_named() -> None:
    texts, pages = chain()
    made = proof(MIDDLE, None, vms=(vm(vm_id=99),))
    pages[MIDDLE] = page(made)
    file = seal(made.model_dump(mode="json"), pages[MIDDLE], KEY, lambda _: "bm9wZQ==")
    texts[MIDDLE] = text_of(file)

    found = findings(texts, pages)
    assert f"altered: {MIDDLE}: the signature is not by a key of the installation" in found
    assert f"altered: {MIDDLE}: it is not chained to {FIRST}" in found
    assert f"altered: {MIDDLE}: is not the proof that {LAST} is chained to" in found


def test_a_day_that_was_taken_out_is_named() -> None:
    texts, pages = chain()
    del texts[MIDDLE], pages[MIDDLE]

    assert findings(texts, pages) == [f"missing: {MIDDLE}: is missing: {LAST} is chained to it"]


def test_the_oldest_days_may_go_by_their_time() -> None:
    texts, pages = chain()
    del texts[FIRST], pages[FIRST]

    assert findings(texts, pages) == [f"note: {MIDDLE}: the chain begins here; {FIRST} was removed"]


def test_a_file_under_the_name_of_another_day_is_named() -> None:
    texts, pages = chain()
    texts["2026-11-28"], pages["2026-11-28"] = texts[LAST], pages[LAST]

    assert f"altered: 2026-11-28: the file holds the proof of {LAST}" in findings(texts, pages)
    assert is_as_written(LAST, texts[LAST], verified)
    assert not is_as_written("2026-11-28", texts[LAST], verified)


def test_a_file_that_is_no_json_is_named() -> None:
    texts, pages = chain()
    texts[MIDDLE] = "{"

    assert any(
        each.startswith(f"altered: {MIDDLE}: the file is not a") for each in findings(texts, pages)
    )


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2026-11-24.json", "2026-11-24"),
        *((name, None) for name in ("notes-2-aa.json", "2026-11-24.html", "2026-11-24.json.bak")),
        *((name, None) for name in ("2026-11-24.json\n", "٢٠٢٦-11-24.json", ".2026-11-24.json.7")),
    ],
)
def test_only_the_file_of_a_day_is_a_days(name: str, day: str | None) -> None:
    """Notes that somebody keeps beside the proofs would be a day after all others."""
    assert day_of(name) == day


def test_the_page_for_people_belongs_to_the_proof() -> None:
    texts, pages = chain()
    pages[FIRST] = pages[FIRST].replace("VM 7", "VM 6")
    del pages[LAST]

    assert findings(texts, pages) == [
        f"altered: {FIRST}: the page for people (.html) was altered",
        f"missing: {LAST}: the page for people (.html) is missing",
    ]


def test_twins_of_one_name_are_told_apart() -> None:
    twins = proof(FIRST, vms=(vm(vm_id=1), vm(vm_id=2)))
    shown = page(twins)
    text = text_of(seal(twins.model_dump(mode="json"), shown, KEY, sign))
    spoilt = changed(text, lambda f: f["proof"]["vms"][0].update(vm_id=3))

    assert findings({FIRST: text}, {FIRST: shown}) == []
    assert f"altered: {FIRST}: vms/shop-aaaaaaa-0 was altered" in findings(
        {FIRST: spoilt}, {FIRST: shown}
    )
