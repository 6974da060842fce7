"""The store, on a disk and in an object store."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from snowmelt.errors import Refused, Unreachable
from snowmelt.proof.store import Store


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    roots = {"file": f"file://{tmp_path}/store", "memory": f"memory://{uuid4()}/store"}
    return Store(roots[request.param])


def test_what_was_written_is_read(store: Store) -> None:
    store.write("proof/2026-11-24.json", "old")
    store.write("proof/2026-11-24.json", "näu")

    assert store.read("proof/2026-11-24.json") == "näu"


def test_what_is_not_there_is_nothing(store: Store) -> None:
    assert store.read("proof/2026-11-24.json") is None
    assert store.names("proof") == []
    assert store.proof("2026-11-24") is None
    store.remove("proof/2026-11-24.json")


def test_only_proofs_count_as_days(store: Store) -> None:
    for name in ("2026-11-25.json", "2026-11-24.json", "2026-11-24.html", "keys/a.pem", "x.json"):
        store.write(f"proof/{name}", "{}")

    assert store.days() == ["2026-11-24", "2026-11-25"]


def test_what_was_removed_is_gone(store: Store) -> None:
    store.write("evidence/shop/aaaaaaa.json", "{}")
    store.remove("evidence/shop/aaaaaaa.json")

    assert store.names("evidence/shop") == []


def test_a_store_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")

    with pytest.raises(Unreachable, match="cannot write"):
        Store(f"file://{tmp_path}/store").write("proof/2026-11-24.json", "{}")


@pytest.mark.parametrize("root", ["nosuch://bucket/a", "s3://aws_default@bucket/a"])
def test_a_storage_without_its_provider_is_refused_before_anything_is_written(root: str) -> None:
    with pytest.raises(Refused, match=f"proof.store {root}: .*is its provider installed"):
        Store(root)


def test_the_environment_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWMELT_STORE", f"file://{tmp_path}/mine")
    Store("file:///somewhere/else").write("a/b.json", "{}")

    assert (tmp_path / "mine/a/b.json").read_text() == "{}"
    assert [path.name for path in (tmp_path / "mine/a").iterdir()] == ["b.json"]
