"""The proof of a day: a document, its place in the chain of days, and a page for people."""

from include.proof.chain import Finding, body_of, check_chain, day_of, digest, seal, text_of
from include.proof.differences import Difference, compare
from include.proof.document import (
    BalancerProof,
    ExceptionProof,
    Gate,
    GateCount,
    MonitoringProof,
    Previous,
    Proof,
    PuppetProof,
    Run,
    ServiceProof,
    VmProof,
)
from include.proof.judge import objections
from include.proof.page import page

__all__ = [
    "BalancerProof",
    "Difference",
    "ExceptionProof",
    "Finding",
    "Gate",
    "GateCount",
    "MonitoringProof",
    "Previous",
    "Proof",
    "PuppetProof",
    "Run",
    "ServiceProof",
    "VmProof",
    "body_of",
    "check_chain",
    "compare",
    "day_of",
    "digest",
    "objections",
    "page",
    "seal",
    "text_of",
]
