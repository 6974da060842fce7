"""The chain of proofs: each names the hash of the one before, and each is signed.

A file has a digest for each of its parts, so that a change can be named and not only noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from include.catalogue.types import DAY

Sign = Callable[[bytes], str]
# (fingerprint of the key, what was signed, signature) -> by a key of this installation
Verified = Callable[[str, bytes, str], bool]

# signed together with the hash: a signature of this key over something else is none of a proof
PURPOSE = "snowmelt proof 1: "
LISTS = {"vms": "name", "services": "name", "exceptions": "service"}
PAGE = "page"
_FILE = re.compile(rf"(?P<day>{DAY})\.json")
_SPOILT = (ValueError, KeyError, TypeError, AttributeError)  # what reading such a file raises


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written, or worth knowing."""

    kind: Literal["altered", "missing", "note"]
    day: str
    what: str

    def __str__(self) -> str:
        return f"{self.day}: {self.what}"


def digest(data: Any) -> str:
    """Return the SHA-256 of plain data, in one fixed form of JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def seal(proof: Mapping[str, Any], page: str, key: str, sign: Sign) -> dict[str, Any]:
    """Return the whole file of a proof; *key* is the fingerprint of the public key."""
    digests = {**_digests(proof), PAGE: sha256(page.encode()).hexdigest()}
    total = digest(digests)
    signature = sign(f"{PURPOSE}{total}".encode())
    sealed = {"digests": digests, "hash": total, "key": key, "signature": signature}
    return {"proof": dict(proof), "seal": sealed}


def text_of(file: Mapping[str, Any]) -> str:
    """Return the one text of a file; any other one shows as altered."""
    return json.dumps(file, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def body_of(text: str) -> dict[str, Any]:
    """Return what a file holds; ValueError when it is not JSON, or not ours."""
    file = json.loads(text)
    if not isinstance(file, dict) or set(file) != {"proof", "seal"}:
        raise ValueError("it has other parts than a proof and its seal")
    if set(file["seal"]) != {"digests", "hash", "key", "signature"}:
        raise ValueError("the seal has other parts")
    return file


def day_of(name: str) -> str | None:
    """Return the day of a file name, or None: "2026-11-24.json"."""
    found = _FILE.fullmatch(name)
    return found["day"] if found else None


def check_chain(
    texts: Mapping[str, str], pages: Mapping[str, str], verified: Verified
) -> tuple[Finding, ...]:
    """Return all that is not as it was written, of the files *texts* (day -> text).

    *verified* says whether a signature is by a key of the installation.
    """
    found: list[Finding] = []
    before: tuple[str, str] | None = None  # day and hash
    for day in sorted(texts):
        try:
            file = body_of(texts[day])
            found += _check_file(day, file, texts[day], pages.get(day), verified)
            found += _check_link(day, file["proof"]["previous"], before)
            before = (day, digest(file["seal"]["digests"]))
        except _SPOILT as error:
            found.append(Finding("altered", day, f"the file is not a proof any more ({error})"))
            before = (day, sha256(texts[day].encode()).hexdigest())  # as whoever came next found it
    return tuple(found)


def is_as_written(day: str, text: str, verified: Verified) -> bool:
    """Say whether a day's file alone is as it was written, whatever has become of its page."""
    try:
        return not [*_check_text(day, body_of(text), text, verified)]
    except _SPOILT:
        return False


def _digests(proof: Mapping[str, Any]) -> dict[str, str]:
    return {name: digest(part) for name, part in _parts(proof)}


def _parts(proof: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parts under names that a person can look up."""
    for field, value in proof.items():
        if field not in LISTS:
            yield field, value
            continue
        names = [str(part[LISTS[field]]) for part in value]
        yield f"{field} (their number and order)", names
        for number, part in enumerate(value):
            twin = names[:number].count(names[number])
            yield f"{field}/{names[number]}" + (f" ({twin + 1})" if twin else ""), part


def _check_file(
    day: str, file: Mapping[str, Any], text: str, page: str | None, verified: Verified
) -> Iterator[Finding]:
    yield from _check_text(day, file, text, verified)
    yield from _check_page(day, file["seal"]["digests"].get(PAGE), page)


def _check_text(
    day: str, file: Mapping[str, Any], text: str, verified: Verified
) -> Iterator[Finding]:
    sealed = file["seal"]
    yield from _check_parts(day, file)
    if digest(sealed["digests"]) != sealed["hash"]:
        yield Finding("altered", day, "the hash is not that of its parts")
    if not verified(sealed["key"], f"{PURPOSE}{sealed['hash']}".encode(), sealed["signature"]):
        yield Finding("altered", day, "the signature is not by a key of the installation")
    if file["proof"]["day"] != day:
        yield Finding("altered", day, f"the file holds the proof of {file['proof']['day']}")
    if text != text_of(file):
        yield Finding("altered", day, "the file was written anew, in another form")


def _check_parts(day: str, file: Mapping[str, Any]) -> Iterator[Finding]:
    written, now = dict(file["seal"]["digests"]), _digests(file["proof"])
    written.pop(PAGE, None)
    for name in sorted(written.keys() | now.keys()):
        if name not in now:
            yield Finding("missing", day, f"{name} was taken out")
        elif name not in written:
            yield Finding("altered", day, f"{name} was put in")
        elif written[name] != now[name]:
            yield Finding("altered", day, f"{name} was altered")


def _check_page(day: str, written: str | None, page: str | None) -> Iterator[Finding]:
    if page is None:
        yield Finding("missing", day, "the page for people (.html) is missing")
    elif sha256(page.encode()).hexdigest() != written:
        yield Finding("altered", day, "the page for people (.html) was altered")


def _check_link(
    day: str, previous: Mapping[str, str] | None, before: tuple[str, str] | None
) -> Iterator[Finding]:
    if before is None:
        if previous:
            yield Finding("note", day, f"the chain begins here; {previous['day']} was removed")
        return
    if previous is None:
        yield Finding("altered", day, f"it is not chained to {before[0]}")
    elif previous["day"] != before[0]:
        yield Finding("missing", previous["day"], f"is missing: {day} is chained to it")
    elif previous["hash"] != before[1]:
        yield Finding("altered", before[0], f"is not the proof that {day} is chained to")
