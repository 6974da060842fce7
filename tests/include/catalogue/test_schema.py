"""The JSON schema that editors use is the model's own."""

from __future__ import annotations

from include.catalogue.schema import SCHEMA_FILE, schema_text


def test_the_schema_is_up_to_date() -> None:
    """After a change of the model: `python -m include.catalogue.schema`."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()
