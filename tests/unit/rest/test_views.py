"""Which manifest fields a call asks for; reading the scan itself needs a database (see `integration`)."""

from typing import Any

import pytest

from skydriver.errors import InvalidArguments
from skydriver.model.manifest import DEFAULT_FIELDS, FIELDS, FIND_EXCLUDED, FIND_FIELDS
from skydriver.model.manifest_projection import ProjectionArguments
from skydriver.rest.arguments import validate
from skydriver.rest.views import requested_fields


def fields(**arguments: Any) -> tuple[str, ...]:
    return requested_fields(validate(ProjectionArguments, arguments), DEFAULT_FIELDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, DEFAULT_FIELDS),
        ({"manifest_projection": ["progress", "scan_id"]}, ("scan_id", "progress")),
        ({"projection": "progress,scan_id"}, ("scan_id", "progress")),
        ({"projection": "*"}, FIELDS),
        ({"manifest_projection": ["scan_id"], "projection": ["progress"]}, ("scan_id",)),
        ({"manifest_projection": []}, ()),
    ],
)
def test_the_fields_that_are_asked_for(arguments: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert fields(**arguments) == expected


@pytest.mark.parametrize("name", ["manifest_projection", "projection"])
def test_an_unknown_field_is_named_with_the_argument_that_asked_for_it(name: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        fields(**{name: ["scan_id", "foo"]})
    assert caught.value.problems[name].startswith("unknown field 'foo'; there are: *, scan_id")


@pytest.mark.parametrize("field", FIND_EXCLUDED)
def test_find_refuses_by_name_what_it_never_shows(field: str) -> None:
    asked = validate(ProjectionArguments, {"manifest_projection": [field]})
    with pytest.raises(InvalidArguments, match=f"argument manifest_projection: unknown field '{field}'"):
        requested_fields(asked, FIND_FIELDS, FIND_FIELDS)
