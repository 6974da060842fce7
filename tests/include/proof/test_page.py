"""The page for people."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from include.proof import MonitoringProof, Previous, ServiceProof, page
from tests.include.proof.samples import proof, vm

VOID = {"meta", "br", "!doctype"}


class _Balanced(HTMLParser):
    """Fails on a tag that is closed and was not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID | {"li", "p"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"li", "p"}:
            assert self.open.pop() == tag


def test_it_says_what_was_rebuilt_and_by_what() -> None:
    warned = MonitoringProof(well=True, checks={"ping": "ok", "disk": "warning"})
    vms = (vm(monitoring=warned), vm("shop-aaaaaaa-1"))
    text = page(proof(previous=Previous(day="2026-11-23", hash="a" * 64), vms=vms))

    for told in (
        "Rotation of 2026-11-24",
        "1 of 1 services were rotated; 2 VMs run",
        "Every VM was rebuilt in time",
        "shop-aaaaaaa-0",
        "rotation__2026-11-24__shop",
        "2 checks well",
        "0 client failures",
        "Chained to 2026-11-23",
        "finance",
    ):
        assert told in text


def test_a_bad_day_says_why() -> None:
    failed = ServiceProof(name="shop", state="failed", reason="watch: 5 % errors")
    text = page(proof(services=(failed,), objections=("shop: failed: watch",)))

    assert "Not a good day: 1 things are wrong" in text
    assert "<li>shop: failed: watch</li>" in text
    assert "watch: 5 % errors" in text


def test_a_vm_without_evidence_stands_out() -> None:
    bare: dict[str, Any] = {"run": None, "puppet": None, "monitoring": None, "balancer": None}
    text = page(proof(vms=(vm(**bare, predecessor=None, compared=False),)))

    assert '<span class="bad">no evidence</span>' in text
    assert "not compared" in text


def test_nothing_that_others_wrote_becomes_markup() -> None:
    evil = "<script>alert(1)</script>"
    failed = ServiceProof(name="shop", state="failed", reason=evil)
    text = page(proof(services=(failed,), vms=(vm(differences=(evil,)),), objections=(evil,)))

    assert "<script" not in text


def test_its_tags_fit_together() -> None:
    parser = _Balanced()
    parser.feed(page(proof(vms=(vm(differences=("a", "b")), vm(run=None)))))

    assert parser.open == []
