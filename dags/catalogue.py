"""What is wrong with the catalogue, as an import error in Airflow's UI.

This file makes no DAG. A service whose file has a mistake has none either until it is mended; all
others keep theirs, which is why the mistake is told here and not by the file that makes them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from include.catalogue import CatalogueError
from include.fleet.problems import all_problems
from snowmelt.notifiers import not_there

if problems := [*all_problems(datetime.now(UTC)), *not_there()]:
    raise CatalogueError(problems)
