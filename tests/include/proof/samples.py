"""Proofs of some days, sealed by a key of the test's own."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from include.proof import (
    BalancerProof,
    ExceptionProof,
    Gate,
    MonitoringProof,
    Previous,
    Proof,
    PuppetProof,
    Run,
    ServiceProof,
    VmProof,
    page,
    seal,
    text_of,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DAYS = ("2026-11-24", "2026-11-25", "2026-11-27")  # no rotation on the 26th
KEY = "f" * 64


@cache
def private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"k" * 32)


def sign(data: bytes) -> str:
    return b64encode(private_key().sign(data)).decode()


def verified(key: str, data: bytes, signature: str) -> bool:
    try:
        private_key().public_key().verify(b64decode(signature), data)
    except (ValueError, InvalidSignature):
        return False
    return key == KEY


def vm(name: str = "shop-aaaaaaa-0", **changes: Any) -> VmProof:
    given = {
        "name": name,
        "service": "shop",
        "release": "1.0",
        "vm_id": 7,
        "rebuilt": NOW - timedelta(hours=1),
        "max_age_s": 86400,
        "run": Run(dag_id="rollout_shop", run_id="rotation__2026-11-24__shop"),
        "predecessor": "shop-zzzzzzz-0",
        "predecessor_vm_id": 3,
        "certificate": "AA:BB",
        "puppet": PuppetProof(
            status="changed", report_hash="0f" * 20, transaction_uuid="u-1", at=NOW
        ),
        "monitoring": MonitoringProof(well=True, checks={"ping": "ok"}),
        "balancer": BalancerProof(pool="shop", joined=NOW, predecessor_left=NOW, client_failures=0),
        "compared": True,
    }
    return VmProof.model_validate({**given, **changes})


def proof(day: str = DAYS[0], previous: Previous | None = None, **changes: Any) -> Proof:
    given = {
        "day": day,
        "written": NOW,
        "run": Run(dag_id="rotate_fleet", run_id=f"scheduled__{day}"),
        "previous": previous,
        "services": (ServiceProof(name="shop", state="rotated"),),
        "vms": (vm(), vm("shop-aaaaaaa-1", vm_id=8)),
        "exceptions": (
            ExceptionProof(
                service="wiki",
                kind="exception",
                reason="closing",
                owner="finance",
                expires="2026-12-01",
            ),
        ),
        "gate": Gate(),
        "objections": (),
    }
    return Proof.model_validate({**given, **changes})


def chain() -> tuple[dict[str, str], dict[str, str]]:
    """Return the files of three days, and their pages."""
    texts, pages, previous = {}, {}, None
    for day in DAYS:
        made = proof(day, previous)
        pages[day] = page(made)
        file = seal(made.model_dump(mode="json"), pages[day], KEY, sign)
        texts[day] = text_of(file)
        previous = Previous(day=day, hash=file["seal"]["hash"])
    return texts, pages
