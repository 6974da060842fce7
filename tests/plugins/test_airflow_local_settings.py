"""What Airflow has loaded before a task begins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"

# Run apart: in this process all of it is loaded.
LOOK = """
import json, sys
import airflow
before = set(sys.modules)
import snowmelt.wiring
new = {name for name in set(sys.modules) - before if "." not in name}
json.dump(sorted(new - sys.stdlib_module_names), sys.stdout)
"""


def test_the_operators_bring_no_library_that_is_not_loaded_already(tmp_path: Path) -> None:
    """Each task of each VM would load it anew."""
    told = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": f"{PLUGINS}:{PLUGINS.parent}"},
        capture_output=True,
        text=True,
        check=True,
    )

    new = set(json.loads(told.stdout.splitlines()[-1]))

    assert not new & {"cryptography", "dns", "pyone", "pypuppetdb", "requests", "urllib3"}
    assert "include" in new, "our own code is the plugin's to load"
