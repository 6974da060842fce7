"""Airflow's plugin scan runs every file below plugins/ that is not kept out of it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"

OURS = {"snowmelt_plugin", "airflow_local_settings", "__init__"}
# Run apart: the scan is done once in a process, and what it spoils would stay spoilt.
SCAN = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
import dns, dns.resolver, requests, yaml, pyone, cryptography.x509
stems = {f: sys.modules[f].__file__ for f in sys.argv[2:] if f in sys.modules}
print(json.dumps({
    "plugins": [p.name for p in plugins],
    "errors": errors,
    "stems": stems,
    "libraries": [m.__file__ for m in (dns, requests, yaml, pyone)],
}))
"""


def test_the_scan_loads_our_one_plugin_and_leaves_the_libraries_alone(
    tmp_path: Path,
) -> None:
    stems = {path.stem for path in PLUGINS.rglob("*.py")} - OURS
    told = subprocess.run(
        [sys.executable, "-c", SCAN, "--", *sorted(stems)],
        env={
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW_HOME": str(tmp_path),
            "PYTHONPATH": f"{PLUGINS}:{PLUGINS.parent}",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(told.stdout.splitlines()[-1])

    assert "snowmelt" in found["plugins"]
    assert found["errors"] == {}
    assert not [file for file in found["libraries"] if str(PLUGINS) in file]
    assert not [file for file in found["stems"].values() if file and str(PLUGINS) in file]


def test_every_file_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(PLUGINS))
        for path in PLUGINS.rglob("*.py")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []
