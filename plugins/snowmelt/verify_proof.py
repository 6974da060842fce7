"""Check a chain of proofs, offline: `python -m snowmelt.verify_proof FOLDER`.

The folder is the store's `proof` folder, or a copy of it. The public keys are read from its
`keys`, where whoever altered a proof could have put one: compare the fingerprint that is printed
with the one that the installation logs, or name the right key with `--key`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from include.proof import Finding, check_chain, day_of
from snowmelt.proof.public import Keys


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when nothing was altered, 1 when something was, 2 when there is nothing to check."""
    asked = _parser().parse_args(arguments)
    files = asked.key or sorted(asked.folder.glob("keys/*.pem"))
    keys = Keys(file.read_bytes() for file in files)
    texts = _read(asked.folder, "json")
    if not texts or not keys:
        _say(f"{asked.folder}: no {'public key' if texts else 'proof'} to check")
        return 2
    found = check_chain(texts, _read(asked.folder, "html"), keys.verified)
    for finding in found:
        _say(f"{finding.kind}: {finding}")
    return _sum(found, texts, keys)


def _sum(found: Sequence[Finding], texts: dict[str, str], keys: Keys) -> int:
    bad = {finding.day for finding in found if finding.kind != "note"}
    span = f"{len(texts)} days, {min(texts)} to {max(texts)}"
    _say(f"{span}: {f'{len(bad)} of them are not as written' if bad else 'nothing was altered'}")
    _say(f"checked by key {', '.join(keys.fingerprints)}")
    return 1 if bad else 0


def _read(folder: Path, kind: str) -> dict[str, str]:
    """Return the files of a kind by day; a byte that is no UTF-8 shows as one that was altered."""
    return {
        file.stem: file.read_bytes().decode(errors="replace")
        for file in folder.glob(f"*.{kind}")
        if day_of(f"{file.stem}.json")
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify_proof", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", type=Path, action="append", help="public key (PEM) to check by")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
