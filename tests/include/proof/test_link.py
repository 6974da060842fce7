"""A proof goes on from those that are there, whatever became of them."""

from __future__ import annotations

import json

import pytest

from include.proof import ServiceProof, check_chain, page, seal, text_of
from include.proof.link import exceptions_in, link_to, reasons_in
from tests.include.proof.samples import DAYS, KEY, chain, proof, sign, verified

FIRST, MIDDLE, LAST = DAYS


def test_a_proof_is_chained_to_the_hash_of_the_one_before() -> None:
    """And counts on from its gates."""
    text = chain()[0][FIRST]
    link = link_to(FIRST, text)

    assert link.previous
    assert (link.previous.day, link.previous.hash) == (FIRST, json.loads(text)["seal"]["hash"])
    assert link.notes == ()


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"proof": {}, "seal": {}}', "half a fi\ufffd"])
def test_a_proof_that_was_spoilt_keeps_nobody_from_the_next(spoilt: str) -> None:
    """It is told, and the check names that day as altered, not the one after it."""
    texts, pages = chain()
    texts[MIDDLE] = spoilt
    link = link_to(MIDDLE, spoilt)
    made = proof(LAST, link.previous, objections=link.notes)
    pages[LAST] = page(made)
    texts[LAST] = text_of(seal(made.model_dump(mode="json"), pages[LAST], KEY, sign))

    assert link.notes[0].startswith(f"the proof of {MIDDLE} is none any more")
    found = check_chain(texts, pages, verified)
    assert [(each.kind, each.day) for each in found] == [("altered", MIDDLE)]


def test_what_was_not_rotated_is_remembered_with_its_reason() -> None:
    """From an earlier proof of the day, before it is written anew."""
    services = (
        ServiceProof(name="a", state="rotated"),
        ServiceProof(name="b", state="not started", reason="the failure budget is spent"),
        ServiceProof(name="c", state="left out", reason="closing"),
    )
    made = proof(FIRST, services=services).model_dump(mode="json")
    text = text_of(seal(made, "page", KEY, sign))

    assert reasons_in(text) == {"b": "the failure budget is spent"}
    assert reasons_in("") == reasons_in("{") == {}


def test_the_exceptions_of_a_proof_of_the_day_are_remembered() -> None:
    """None of one that was spoilt, and none where an exception is no such thing."""
    text = chain()[0][FIRST]

    (told,) = exceptions_in(text)
    assert (told.service, told.reason, told.expires) == ("wiki", "closing", "2026-12-01")
    assert exceptions_in("") == exceptions_in("{") == ()
    assert exceptions_in(text.replace('"owner"', '"who"')) == ()
