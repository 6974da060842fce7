"""Write the JSON schema of a proof: `python -m include.proof.schema`."""

from __future__ import annotations

import json
from pathlib import Path

from include.proof.document import File

SCHEMA_FILE = Path(__file__).parent / "schema.json"


def schema_text() -> str:
    """Return the schema as it has to stand in `schema.json`."""
    return json.dumps(File.model_json_schema(mode="serialization"), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
