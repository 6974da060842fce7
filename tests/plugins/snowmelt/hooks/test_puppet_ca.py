"""The Puppet CA hook against a server that answers as Puppet Server 7.9.5 did, over mutual TLS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID

from include.verdict import Outcome
from snowmelt.errors import (
    Conflict,
    Missing,
    NotAllowed,
    Refused,
    SnowmeltError,
    Unreachable,
)
from snowmelt.hooks.puppet_ca import PuppetCaHook
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.tls import Authority, Request, Site, name

FQDN = "shop-k3f7x2q-0.lab.test"
TOKEN = "1795375917.proof"
ROLE = "1.3.6.1.4.1.34380.1.1.13"


def make_request(
    common_name: str = FQDN,
    *,
    token: str | None = TOKEN,
    alt_names: tuple[str, ...] = (),
    extensions: tuple[str, ...] = (ROLE,),
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(common_name))
    if token is not None:
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, token.encode())
    if alt_names:
        names = x509.SubjectAlternativeName([x509.DNSName(each) for each in alt_names])
        builder = builder.add_extension(names, critical=False)
    for oid in extensions:
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x0c\x04shop")
        builder = builder.add_extension(value, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


class Ca:
    """The few answers of a CA that keeps one name."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.request: x509.CertificateSigningRequest | None = None
        self.certificate: bytes | None = None
        self.revoked = False
        self.before_sign: Callable[[], None] = lambda: None
        self.before_revoke: Callable[[], None] = lambda: None
        self.no_revocation: tuple[int, bytes] = (409, b"Cannot revoke certificate")
        self.refusal: tuple[int, bytes] | None = None

    def __call__(self, request: Request) -> tuple[int, bytes]:
        if self.refusal:
            return self.refusal
        kind = request.path.split("/")[3]
        if request.method == "PUT":
            return self._put(json.loads(request.body))
        if request.method == "DELETE":
            there, self.request, self.certificate = self._there(), None, None
            return (204, b"") if there else (404, b"")
        answers: dict[str, Callable[[], tuple[int, bytes]]] = {
            "certificate_status": self._certificate_status,
            "certificate_statuses": self._certificate_statuses,
            "certificate_request": self._certificate_request,
            "certificate": self._certificate,
        }
        return answers[kind]()

    def _certificate_status(self) -> tuple[int, bytes]:
        return (200, json.dumps(self._state()).encode()) if self._there() else (404, b"")

    def _certificate_statuses(self) -> tuple[int, bytes]:
        return 200, json.dumps([self._state()] if self._there() else []).encode()

    def _certificate_request(self) -> tuple[int, bytes]:
        return (200, self.request.public_bytes(Encoding.PEM)) if self.request else (404, b"")

    def _certificate(self) -> tuple[int, bytes]:
        return (200, self.certificate) if self.certificate else (404, b"")

    def _there(self) -> bool:
        return bool(self.request or self.certificate)

    def _state(self) -> dict[str, str]:
        signed = "revoked" if self.revoked else "signed"
        dates = {"not_after": "2026-11-24T23:49:59UTC"} if self.certificate else {}
        state = signed if self.certificate else "requested"
        return {"name": FQDN, "state": state, "fingerprint": "AA:BB", **dates}

    def _put(self, body: dict[str, str]) -> tuple[int, bytes]:
        if body["desired_state"] == "revoked":
            self.before_revoke()
            if self.certificate is None or self.revoked:
                return self.no_revocation
            self.revoked = True
            return 204, b""
        self.before_sign()
        if self.request is None:
            return 409, b"Cannot sign certificate without a certificate request"
        self.certificate = self.authority.sign_request(self.request)
        self.request = None
        return 204, b""


@pytest.fixture
def ca(site: Site, authority: Authority) -> Ca:
    site.answer = made = Ca(authority)
    return made


@pytest.fixture
def hook(site: Site, ca: Ca, secured: dict[str, str], connect: Connect) -> PuppetCaHook:
    fields = {"host": "127.0.0.1", "port": site.port, "password": "k" * 32, "extra": secured}
    return PuppetCaHook(connect("puppet_ca", **fields))


def test_a_request_is_taken_apart(hook: PuppetCaHook, ca: Ca) -> None:
    """All that the decision needs is there."""
    ca.request = make_request(alt_names=("puppet",))

    seen = hook.request(FQDN)

    assert seen is not None
    assert (seen.certname, seen.common_name) == (FQDN, FQDN)
    assert seen.token == TOKEN
    assert seen.alt_names == ("puppet",)
    assert seen.extensions == (ROLE,)
    assert len(seen.public_key) == 64
    assert TOKEN not in repr(seen)


def test_a_request_without_a_token_has_none(hook: PuppetCaHook, ca: Ca) -> None:
    """And no extensions where it asks for none."""
    ca.request = make_request(token=None, extensions=())

    seen = hook.request(FQDN)

    assert seen is not None
    assert (seen.token, seen.extensions) == (None, ())


def test_a_subject_with_more_than_a_name_is_shown_whole(hook: PuppetCaHook, ca: Ca) -> None:
    """So it equals no FQDN."""
    organisation = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "system:masters")
    subject = x509.Name([*name(FQDN), organisation])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    ca.request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())

    seen = hook.request(FQDN)

    assert seen is not None
    assert "system:masters" in seen.common_name


def test_a_second_list_of_extensions_does_not_go_unseen(hook: PuppetCaHook, ca: Ca) -> None:
    """A signer might read the one that we do not."""
    second = x509.ObjectIdentifier("1.3.6.1.4.1.311.2.1.14")
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(ROLE), b"\x0c\x04shop")
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name(FQDN))
        .add_extension(extension, critical=False)
        .add_attribute(second, b"another list")
    )
    ca.request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())

    with pytest.raises(Refused, match="cannot be read"):
        hook.request(FQDN)


def test_a_request_that_cannot_be_read_is_refused(hook: PuppetCaHook, ca: Ca) -> None:
    """The message names the VM."""
    ca.refusal = (
        200,
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
    )

    with pytest.raises(Refused, match=FQDN):
        hook.request(FQDN)


def test_a_name_that_the_ca_does_not_know(hook: PuppetCaHook) -> None:
    """No request, no certificate, nothing to remove."""
    assert hook.request(FQDN) is None
    assert hook.certificate(FQDN) is None
    assert hook.certificates() == ()
    assert hook.remove_certificate(FQDN, revoke=True) is Outcome.UNCHANGED


def test_the_checked_request_is_signed_once(hook: PuppetCaHook, ca: Ca, site: Site) -> None:
    """A retry finds the certificate."""
    ca.request = make_request()
    request = hook.request(FQDN)
    assert request is not None

    certificate, outcome = hook.ensure_signed(request, 172800)

    assert (certificate.state, outcome) == ("signed", Outcome.CREATED)
    assert certificate.not_after == datetime(2026, 11, 24, 23, 49, 59, tzinfo=UTC)
    assert hook.ensure_signed(request, 172800)[1] is Outcome.UNCHANGED
    (put,) = [asked for asked in site.asked if asked.method == "PUT"]
    assert json.loads(put.body) == {"desired_state": "signed", "cert_ttl": 172800}


def test_a_request_swapped_after_its_check_is_revoked_at_once(hook: PuppetCaHook, ca: Ca) -> None:
    """Somebody deleted it and sent another one between our look and our signature."""
    ca.request = make_request()
    checked = hook.request(FQDN)
    assert checked is not None

    def swap() -> None:
        ca.request = make_request()

    ca.before_sign = swap

    with pytest.raises(Refused, match="swapped"):
        hook.ensure_signed(checked, 3600)
    assert ca.revoked
    assert ca.certificate is None


def test_a_certificate_for_another_key_is_a_conflict(hook: PuppetCaHook, ca: Ca) -> None:
    """It is not ours to revoke."""
    ca.request = make_request()
    request = hook.request(FQDN)
    assert request is not None
    hook.ensure_signed(request, 3600)

    with pytest.raises(Conflict, match="another key"):
        hook.ensure_signed(replace(request, public_key="00"), 3600)
    assert ca.certificate is not None
    assert not ca.revoked


def test_a_revoked_name_is_not_taken_for_a_signed_one(hook: PuppetCaHook, ca: Ca) -> None:
    """Somebody revoked it by hand."""
    ca.request = make_request()
    request = hook.request(FQDN)
    assert request is not None
    hook.sign(FQDN, 3600)
    ca.revoked = True

    with pytest.raises(Conflict, match="revoked"):
        hook.ensure_signed(request, 3600)


@pytest.mark.parametrize("revoke", [True, False])
def test_nothing_of_a_removed_name_is_left(hook: PuppetCaHook, ca: Ca, revoke: bool) -> None:
    """The revocation list gets an entry only on request."""
    ca.request = make_request()
    hook.sign(FQDN, 3600)

    assert hook.remove_certificate(FQDN, revoke) is Outcome.REMOVED
    assert hook.certificate(FQDN) is None
    assert ca.revoked is revoke


@pytest.mark.parametrize("status", [404, 409])
def test_another_try_that_removed_it_first_is_no_error(
    hook: PuppetCaHook, ca: Ca, status: int
) -> None:
    """A worker that was taken for dead goes on beside its second try."""
    ca.request, ca.no_revocation = make_request(), (status, b"no such certificate")
    hook.sign(FQDN, 3600)

    def faster() -> None:
        ca.certificate = None

    ca.before_revoke = faster

    assert hook.remove_certificate(FQDN, revoke=True) is Outcome.UNCHANGED


def test_what_another_try_has_only_revoked_yet_is_deleted(hook: PuppetCaHook, ca: Ca) -> None:
    """It may have ended there."""
    ca.request = make_request()
    hook.sign(FQDN, 3600)

    def faster() -> None:
        ca.revoked = True

    ca.before_revoke = faster

    assert hook.remove_certificate(FQDN, revoke=True) is Outcome.REMOVED
    assert ca.certificate is None


def test_a_ca_that_does_not_revoke_is_told_and_keeps_the_certificate(
    hook: PuppetCaHook, ca: Ca, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that may be anywhere has to be on the list before its certificate is forgotten."""
    ca.request = make_request()
    hook.sign(FQDN, 3600)
    monkeypatch.setattr(ca, "_put", lambda body: (409, b"not now"))

    with pytest.raises(Conflict, match="not now"):
        hook.remove_certificate(FQDN, revoke=True)
    assert ca.certificate is not None


def test_a_waiting_request_is_removed_too(hook: PuppetCaHook, ca: Ca) -> None:
    """It cannot be revoked, and it would stop the next one of that name."""
    ca.request = make_request()

    assert hook.remove_certificate(FQDN, revoke=True) is Outcome.REMOVED
    assert ca.request is None
    assert not ca.revoked


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (403, NotAllowed),
        (404, Missing),
        (409, Conflict),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_a_status_becomes_one_of_our_errors(
    hook: PuppetCaHook, ca: Ca, status: int, error: type[SnowmeltError]
) -> None:
    """With the CA's own words."""
    ca.refusal = (status, b"its own words")

    with pytest.raises(SnowmeltError, match="its own words") as raised:
        hook.certificates()
    assert type(raised.value) is error


def test_an_answer_that_is_no_json_is_unreachable(hook: PuppetCaHook, ca: Ca) -> None:
    """Something between us answered."""
    ca.refusal = (200, b"<html>")

    with pytest.raises(Unreachable):
        hook.certificates()


def test_a_server_that_we_cannot_verify_is_unreachable(
    site: Site, ca: Ca, secured: dict[str, str], connect: Connect
) -> None:
    """Its certificate is by another CA than the connection says."""
    extra = {key: value for key, value in secured.items() if key != "ca_file"}
    hook = PuppetCaHook(connect("puppet_ca", host="127.0.0.1", port=site.port, extra=extra))

    with pytest.raises(Unreachable, match="certificate verify failed"):
        hook.certificates()
    assert not site.asked


def test_a_client_without_a_certificate_is_not_let_in(
    site: Site, ca: Ca, authority: Authority, connect: Connect
) -> None:
    """The CA's own rule; here it ends in the handshake."""
    extra = {"ca_file": str(authority.ca_file)}
    hook = PuppetCaHook(connect("puppet_ca", host="127.0.0.1", port=site.port, extra=extra))

    with pytest.raises(Unreachable):
        hook.certificates()
    assert not site.asked


def test_a_key_file_that_is_not_there_is_refused(
    site: Site, secured: dict[str, str], connect: Connect
) -> None:
    """Somebody has to correct the connection."""
    extra = {**secured, "key_file": "/nowhere/key.pem"}
    hook = PuppetCaHook(connect("puppet_ca", host="127.0.0.1", port=site.port, extra=extra))

    with pytest.raises(Refused, match=r"/nowhere/key\.pem"):
        hook.certificates()


@pytest.mark.parametrize("certname", ["../etc", "a/b", "UPPER.lab.test", "", "a?x=1"])
def test_a_certname_never_becomes_another_path(
    hook: PuppetCaHook, site: Site, certname: str
) -> None:
    """Nothing is sent."""
    with pytest.raises(Refused):
        hook.certificate(certname)
    assert not site.asked


@pytest.mark.parametrize("password", ["", "short"])
def test_an_enrolment_key_that_can_be_guessed_is_refused(connect: Connect, password: str) -> None:
    """And not shown."""
    hook = PuppetCaHook(connect("puppet_ca", host="x", password=password))

    with pytest.raises(Refused, match="16 bytes"):
        _ = hook.enrolment_key


def test_the_test_button_counts_what_the_ca_has(hook: PuppetCaHook, ca: Ca) -> None:
    """The connection form calls this."""
    ca.request = make_request()

    assert hook.test_connection() == (True, "1 certificates and requests")


def test_the_revocation_lists_of_the_whole_chain_are_measured(
    hook: PuppetCaHook, site: Site, authority: Authority
) -> None:
    """An intermediate CA sends its own list and those above it in one text."""
    lists = [authority.revocation_list(revoked) for revoked in (3, 0)]
    site.answer = lambda request: (200, b"".join(lists))
    own, above = hook.revocation_lists()

    assert (own.entries, above.entries) == (3, 0)
    assert own.issuer == "Test CA"
    assert own.size_bytes == pytest.approx(len(lists[0]), abs=2)
    assert own.next_update
    assert own.next_update - own.last_update == timedelta(days=1)
    assert site.asked[-1].path == "/puppet-ca/v1/certificate_revocation_list/ca"


def test_a_revocation_list_that_cannot_be_read_is_no_empty_one(
    hook: PuppetCaHook, site: Site
) -> None:
    """Half a list must not look like a small one."""
    half = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
    site.answer = lambda request: (200, half)

    with pytest.raises(Refused, match="cannot be read"):
        hook.revocation_lists()


@pytest.mark.parametrize("missing", ["cert_file", "key_file"])
def test_half_a_client_certificate_is_refused(
    site: Site, secured: dict[str, str], connect: Connect, missing: str
) -> None:
    """Without a word we would come as nobody, and read that we may not."""
    del secured[missing]
    hook = PuppetCaHook(connect("puppet_ca", host="127.0.0.1", port=site.port, extra=secured))

    with pytest.raises(Refused, match=f"has no {missing} in its extra: both or none"):
        hook.certificates()
