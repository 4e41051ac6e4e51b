"""Which fields of a manifest are asked for."""

from typing import Any

import pytest

from skydriver.model.manifest_projection import ProjectionArguments
from skydriver.rest.arguments import validate


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (["scan_id", "progress"], ["scan_id", "progress"]),
        ("scan_id, progress", ["scan_id", "progress"]),
        ("*", ["*"]),
        (["*"], ["*"]),
        ([], []),
        ("", []),
        (None, None),
    ],
)
@pytest.mark.parametrize("name", ["manifest_projection", "projection"])
def test_projections_under_both_names(name: str, asked: Any, fields: list[str] | None) -> None:
    assert validate(ProjectionArguments, {name: asked}).fields == fields
