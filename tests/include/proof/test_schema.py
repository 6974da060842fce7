"""The JSON schema of a proof is the model's own, and fits what is written."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from include.proof.schema import SCHEMA_FILE, schema_text
from tests.include.proof.samples import DAYS, chain

jsonschema = import_module("jsonschema")  # Airflow brings it, without types


def test_the_schema_is_up_to_date() -> None:
    """After a change of the model: `python -m include.proof.schema`."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("day", DAYS)
def test_a_written_proof_fits_the_schema(day: str) -> None:
    file = json.loads(chain()[0][day])
    schema = json.loads(schema_text())

    jsonschema.validate(file, schema)
    file["proof"]["vms"][0]["vm_id"] = "seven"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(file, schema)
