"""How long Airflow takes to parse all DAGs of a large catalogue, and one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.bench.catalogue import write_catalogue
from lab.settings import CHECKOUT

# What the dag-processor does with a file. The imports that every process has done are not counted.
_PARSE = """
import json, sys, time
import airflow.dag_processing.dagbag as dagbag
import airflow.sdk, pydantic, yaml
began = time.monotonic()
bags = [dagbag.DagBag(file) for file in sys.argv[1:]]
took = time.monotonic() - began
if errors := [bag.import_errors for bag in bags if bag.import_errors]:
    sys.exit(str(errors))
json.dump({"seconds": took, "dags": sum(len(bag.dags) for bag in bags)}, sys.stdout)
"""


def parse_s(services: int) -> float:
    """Seconds to parse so many services: their DAGs, and what tells of their mistakes.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_catalogue(Path(folder) / "services", services, replicas=4)
        environment = os.environ | {
            "SNOWMELT_CATALOGUE": f"{folder}/services",
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "PYTHONPATH": f"{CHECKOUT / 'plugins'}:{CHECKOUT}",
        }
        files = [str(CHECKOUT / "dags" / name) for name in ("rollout.py", "catalogue.py")]
        command = [sys.executable, "-c", _PARSE, *files]
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            timeout=600,
        )
    if done.returncode:
        raise RuntimeError(f"parsing {services} services: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["dags"] != services:
        raise RuntimeError(f"{found['dags']} DAGs of {services} services")
    return float(found["seconds"])
