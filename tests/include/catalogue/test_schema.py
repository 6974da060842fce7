"""The JSON schemas that editors use are the models' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.catalogue.schema import SCHEMAS, schema_text


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name)
def test_the_schema_is_up_to_date(file: Path) -> None:
    """After a change of the model: `python -m include.catalogue.schema`."""
    assert file.read_text(encoding="utf-8") == schema_text(SCHEMAS[file])
