"""Write the JSON schemas of the catalogue's files: `python -m include.catalogue.schema`.

Editors complete and check a file that begins with `# yaml-language-server: $schema=../schema.json`.
"""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from pathlib import Path

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

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
_HOW = (
    "Editors with a YAML language server complete and check a file whose first line is"
    " `# yaml-language-server: $schema=` and the address of this one: a URL, or a path as seen from"
    " the folder of that file."
)


class _ForEditors(GenerateJsonSchema):
    """Defaults as a file would have them, and with each field what its model says of it.

    pydantic writes durations as ISO 8601 (PT2M), which the loader refuses. What stands below a
    field it would read whenever a model is imported (`use_attribute_docstrings`), so at every start
    of a task: 14 ms for `fleet.py` alone.
    """

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        found, kind = super().model_schema(schema), schema["cls"]
        defaults = kind.model_construct().model_dump(mode="json")
        told = _told(kind)
        for name, field in found["properties"].items():
            if name in defaults:
                field["default"] = defaults[name]
            if said := " ".join(filter(None, (told.get(name), _shape(field)))):
                field["description"] = said
        return found


def _told(kind: type[Part]) -> dict[str, str]:
    """Return what stands below the fields of a model, its own and those that it inherits."""
    models = (each for each in reversed(kind.__mro__) if issubclass(each, Part))
    return {field: text for model in models for field, text in _own(model).items()}


def _own(kind: type[Part]) -> dict[str, str]:
    (found,) = ast.parse(inspect.getsource(kind)).body
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in pairwise(getattr(found, "body", ()))
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def _shape(field: JsonSchemaValue) -> str | None:
    """Return what the type of a field says of itself, also where it may be left empty."""
    return next(
        (each["description"] for each in (field, *field.get("anyOf", ())) if "description" in each),
        None,
    )


def schema_text(kind: type[Part] = Service) -> str:
    """Return the schema as it has to stand in its file."""
    schema = kind.model_json_schema(mode="validation", schema_generator=_ForEditors)
    return json.dumps({"$comment": _HOW, **schema}, indent=2) + "\n"


if __name__ == "__main__":
    for file, kind in SCHEMAS.items():
        file.write_text(schema_text(kind), encoding="utf-8")
