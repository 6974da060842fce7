"""Write the JSON schemas of the catalogue's files: `python -m include.catalogue.schema`.

Editors complete and check a file that begins with `# yaml-language-server: $schema=../schema.json`.
"""

from __future__ import annotations

import json
from pathlib import Path

from include.catalogue.fleet import Fleet
from include.catalogue.model import Service
from include.catalogue.requests import RequestPolicy
from include.catalogue.types import Part

SCHEMA_FILE = Path(__file__).parent / "schema.json"
FLEET_SCHEMA_FILE = Path(__file__).parent / "fleet.schema.json"
REQUESTS_SCHEMA_FILE = Path(__file__).parent / "requests.schema.json"
SCHEMAS: dict[Path, type[Part]] = {
    SCHEMA_FILE: Service,
    FLEET_SCHEMA_FILE: Fleet,
    REQUESTS_SCHEMA_FILE: RequestPolicy,
}


def schema_text(kind: type[Part] = Service) -> str:
    """Return the schema as it has to stand in its file."""
    return json.dumps(kind.model_json_schema(mode="validation"), indent=2) + "\n"


if __name__ == "__main__":
    for file, kind in SCHEMAS.items():
        file.write_text(schema_text(kind), encoding="utf-8")
