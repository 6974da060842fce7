"""Which certificate requests may be signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.enrolment import EXTENSION_ARCS, make_token, not_by_us, objection
from include.facts import Certificate, CertificateRequest

KEY = b"a-key-that-only-the-connection-has"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOON = int(NOW.timestamp()) + 600
FQDN = "shop-k3f7x2q-0.lab.test"
ROLLOUT = "k3f7x2q"
GOOD = CertificateRequest(
    certname=FQDN,
    common_name=FQDN,
    alt_names=(FQDN,),
    token=make_token(KEY, FQDN, ROLLOUT, SOON),
    extensions=("1.3.6.1.4.1.34380.1.1.13", "1.3.6.1.4.1.34380.1.2.1"),
    public_key="ab" * 32,
)


def reason(request: CertificateRequest, now: datetime = NOW, key: bytes = KEY) -> str | None:
    return objection(request, FQDN, ROLLOUT, key, now)


def test_the_vms_own_request_may_be_signed() -> None:
    """Name, token and allowed extensions are as the product made them."""
    assert reason(GOOD) is None
    assert reason(replace(GOOD, alt_names=(), extensions=())) is None


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (replace(GOOD, certname="db.lab.test"), "stands under the name db.lab.test"),
        (replace(GOOD, common_name="puppet.lab.test"), "common name is 'puppet.lab.test'"),
        (replace(GOOD, common_name=FQDN.upper()), "common name"),
        (replace(GOOD, alt_names=(FQDN, "puppet")), "other names: puppet"),
        (replace(GOOD, extensions=("1.3.6.1.4.1.34380.1.3.39",)), "34380.1.3.39"),
        (replace(GOOD, extensions=("1.3.6.1.4.1.34380.1.13",)), "must not have"),
        (replace(GOOD, extensions=("2.5.29.19",)), "2.5.29.19"),
        (replace(GOOD, token=None), "no enrolment token"),
        (replace(GOOD, token=""), "no enrolment token"),
        (replace(GOOD, token="letmein"), "malformed"),
        (replace(GOOD, token="²²²²²²²²²².x"), "malformed"),
        (replace(GOOD, token=f"{'9' * 400}.x"), "malformed"),
        (replace(GOOD, token=make_token(KEY, "a.lab.test", ROLLOUT, SOON)), "not made for this VM"),
        (replace(GOOD, token=make_token(KEY, FQDN, "another", SOON)), "not made for this VM"),
        (replace(GOOD, token=make_token(b"guess", FQDN, ROLLOUT, SOON)), "not made for this VM"),
    ],
)
def test_a_request_that_is_not_the_vms_is_refused(
    request_: CertificateRequest, sentence: str
) -> None:
    """The reason says what an operator has to look at."""
    assert sentence in (reason(request_) or "")


def test_an_expired_token_is_refused() -> None:
    """At the second of its expiry it is over."""
    assert reason(GOOD, NOW + timedelta(seconds=599)) is None
    assert "expired 0 s ago" in (reason(GOOD, NOW + timedelta(seconds=600)) or "")


def test_a_later_expiry_cannot_be_written_into_a_token() -> None:
    """The expiry is part of what is hashed."""
    proof = str(GOOD.token).partition(".")[2]

    assert "not made" in (reason(replace(GOOD, token=f"{SOON + 9999}.{proof}")) or "")


@given(st.text())
def test_no_text_passes_for_a_token(token: str) -> None:
    """And none of them makes the decision fail."""
    assert reason(replace(GOOD, token=token)) is not None


def test_no_reason_shows_a_token() -> None:
    """Reasons are logged."""
    other = make_token(KEY, "a.lab.test", ROLLOUT, SOON)

    assert other not in (reason(replace(GOOD, token=other)) or "")


def test_the_authorization_arc_is_not_among_the_allowed_ones() -> None:
    """pp_cli_auth would make every VM an administrator of the CA."""
    assert "1.3.6.1.4.1.34380.1.3" not in EXTENSION_ARCS


def test_a_token_without_a_key_is_never_made() -> None:
    """Everybody could make the same one."""
    with pytest.raises(ValueError, match="empty"):
        make_token(b"", FQDN, ROLLOUT, SOON)


@pytest.mark.parametrize(
    ("lasts", "by_somebody"),
    [
        (timedelta(days=3), False),
        (timedelta(days=3, minutes=59), False),
        (timedelta(days=3, minutes=61), True),
        (timedelta(days=5 * 365), True),
    ],
)
def test_a_certificate_that_lasts_longer_than_ours_was_signed_by_somebody_else(
    lasts: timedelta, by_somebody: bool
) -> None:
    """Clocks may differ by an hour."""
    found = Certificate(certname=FQDN, state="signed", fingerprint="AB", not_after=NOW + lasts)

    assert not_by_us(found, timedelta(days=3), NOW) is by_somebody


def test_a_certificate_whose_end_the_ca_does_not_tell_says_nothing() -> None:
    """It is no reason to stop a rollout."""
    found = Certificate(certname=FQDN, state="signed", fingerprint="AB")

    assert not not_by_us(found, timedelta(days=3), NOW)
