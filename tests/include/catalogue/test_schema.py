"""The JSON schemas that editors use are the models' own, in the words of the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_origin

import pytest
import yaml
from pydantic import TypeAdapter

from include.catalogue import fleet, maintenance, model, notifier, parts, requests, types
from include.catalogue.loader import DEFAULT_FOLDER, parse
from include.catalogue.schema import SCHEMA_FILE, SCHEMAS, schema_text
from include.catalogue.types import Part

validator = import_module("jsonschema").Draft202012Validator  # Airflow brings it, without types
KINDS: dict[str, type[Part]] = {
    name: kind
    for module in (fleet, maintenance, model, notifier, parts, requests)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Part)
}
SHAPES = {
    TypeAdapter(kind).json_schema().get("description")
    for module in (types, maintenance)
    for kind in vars(module).values()
    if get_origin(kind) is Annotated
}
EXAMPLES = sorted([*DEFAULT_FOLDER.glob("*.yaml"), *DEFAULT_FOLDER.parent.glob("*.yaml")])


def schema_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def parts_of(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of a schema with the name of its model."""
    schema = schema_of(file)
    yield from ((each["title"], each) for each in (schema, *schema["$defs"].values()))


PARTS = [
    pytest.param(file, name, part["properties"], id=f"{file.name}-{name}")
    for file in SCHEMAS
    for name, part in parts_of(file)
]


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name)
def test_the_schema_is_up_to_date(file: Path) -> None:
    """After a change of the model: `python -m include.catalogue.schema`."""
    assert file.read_text(encoding="utf-8") == schema_text(SCHEMAS[file])


@pytest.mark.parametrize(("file", "name", "fields"), PARTS)
def test_every_default_fits_its_own_field(file: Path, name: str, fields: dict[str, Any]) -> None:
    """An editor completes with it, and would underline in red what it has just written: PT2M."""
    defs = schema_of(file)["$defs"]
    wrong = [
        f"{name}.{field}: {error.message}"
        for field, told in fields.items()
        if "default" in told
        for error in validator({**told, "$defs": defs}).iter_errors(told["default"])
    ]

    assert wrong == []


@pytest.mark.parametrize(("file", "name", "fields"), PARTS)
def test_the_loader_takes_every_default(
    file: Path, name: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    """As it stands in the schema; what has none has to be given, and nothing else is told."""
    kind, written = KINDS[name], tmp_path / "defaults.yaml"
    defaults = {field: told["default"] for field, told in fields.items() if "default" in told}
    written.write_text(yaml.safe_dump(defaults))
    found = parse(written, kind)

    if isinstance(found, Part):
        assert found == kind()
    else:
        assert {p.field: p.fix for p in found} == {
            field: "is missing: add it" for field in fields if field not in defaults
        }


@pytest.mark.parametrize(("file", "name", "fields"), PARTS)
def test_every_field_that_may_be_left_out_shows_its_default(
    file: Path, name: str, fields: dict[str, Any]
) -> None:
    optional = {f for f, told in KINDS[name].model_fields.items() if not told.is_required()}

    assert {field for field, told in fields.items() if "default" in told} == optional


@pytest.mark.parametrize(("file", "name", "fields"), PARTS)
def test_every_field_says_what_it_is(file: Path, name: str, fields: dict[str, Any]) -> None:
    """Not its shape alone; one that is a part shows what the part says of itself."""
    defs = schema_of(file)["$defs"]
    told = {
        field: each.get("description") or defs[each["$ref"].rpartition("/")[2]]["description"]
        for field, each in fields.items()
    }

    assert [field for field, text in told.items() if not text or text in SHAPES] == []


def test_what_a_field_is_for_comes_before_its_shape() -> None:
    """The model says the first, its type the second."""
    fields = schema_of(SCHEMA_FILE)["$defs"]["Canary"]["properties"]

    assert fields["watch"]["description"] == (
        "How long the first VM has to stay healthy under traffic."
        " A number and a unit: 90s, 10m, 24h or 7d."
    )
    assert fields["watch"]["default"] == "1m"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_first_line_of_an_example_leads_to_its_schema(file: Path) -> None:
    """By a path as seen from the folder of the file; and the schema takes the example."""
    first, *_ = (text := file.read_text(encoding="utf-8")).splitlines()
    schema = (file.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()
    kind = SCHEMAS[schema]

    assert isinstance(parse(file, kind), kind)
    assert list(validator(schema_of(schema)).iter_errors(yaml.safe_load(text))) == []
