"""Imports go one way: dags -> plugins/snowmelt -> include. The lab meets them on the wire only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLIENTS = {
    *("airflow", "pyone", "pypuppetdb", "dns", "requests", "httpx", "urllib3", "socket", "zmq"),
    *("paramiko", "fsspec"),
}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (file, top-level name of what it imports, at any depth of the code)."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            yield from ((str(path.relative_to(ROOT)), name.partition(".")[0]) for name in names)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("include", {*CLIENTS, "snowmelt", "lab", "dags", "tests"}),
        ("plugins", {"lab", "dags", "tests"}),
        ("dags", {*CLIENTS - {"airflow"}, "lab", "tests"}),
        ("lab", {"snowmelt", "include", "dags", "tests"}),
    ],
)
def test_a_layer_imports_nothing_from_above_or_beside(folder: str, forbidden: set[str]) -> None:
    found = list(imported(folder))

    assert found
    assert [(file, name) for file, name in found if name in forbidden] == []


def test_what_decides_does_not_ask_for_the_time() -> None:
    """`now` is passed in, or a plan could not be told again."""
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "include").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
        if isinstance(node.value, ast.Name) and node.value.id in ("datetime", "date")
    ]

    assert asked == []


def test_triggers_do_not_act() -> None:
    """One may run twice after a restart."""
    acts = {
        *("ensure_vm", "release", "terminate", "ensure_signed", "sign", "remove_certificate"),
        *("deactivate", "ensure_address", "remove_address", "ensure_member", "drain", "undrain"),
        *("remove_member", "ensure_host", "check_now", "remove_host", "ensure_entry"),
        *("remove_entries", "ensure_run", "ensure_image", "remove_image", "ensure_disks"),
    }
    found = [
        f"{path.name}:{node.lineno} {node.func.attr}"
        for path in sorted((ROOT / "plugins/snowmelt/triggers").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in acts
    ]

    assert found == []
