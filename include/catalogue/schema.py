"""Write the JSON schema of a catalogue file: `python -m include.catalogue.schema`.

Editors complete and check a file that begins with `# yaml-language-server: $schema=../schema.json`.
"""

from __future__ import annotations

import json
from pathlib import Path

from include.catalogue.model import Service

SCHEMA_FILE = Path(__file__).parent / "schema.json"


def schema_text() -> str:
    """Return the schema as it has to stand in `schema.json`."""
    return json.dumps(Service.model_json_schema(mode="validation"), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
