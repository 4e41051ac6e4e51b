"""Our draft of a notice against GCN's own schema, as npm's `@nasa-gcn/schema` has it."""

import json
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from skydriver.skymap.notice import SCHEMA, notice
from skydriver.skymap.probability import skymap
from skydriver.skymap.result import Result
from tests.components import missing
from tests.components.build import folder_of
from tests.support.skymaps import as_result, fisher, scanned

# What people add to a draft, as IceCube's page on GCN shows it.
BY_PEOPLE: dict[str, Any] = {
    "pipeline": "Gold Track Alert",
    "event_name": ["IceCube-170922A"],
    "alert_datetime": "2017-09-22T23:09:28.00Z",
    "alert_tense": "current",
    "alert_topology": "Track",
    "systematic_included": True,
    "healpix_url": "https://example.org/IceCube-170922A_skymap_probdensity_multiorder.fits.gz",
    "nu_energy": 290.0,
    "p_astro": 0.56507,
    "far": 3.6e-8,
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """Of the schema that a notice names."""
    folder = folder_of("npm") / "node_modules" / "@nasa-gcn" / "schema"
    if not folder.is_dir():
        missing("npm", f"there is no {folder}")
    schemas = [json.loads(path.read_text()) for path in folder.rglob("*.schema.json")]
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas
    )
    # Releases have their version in the place of `main`.
    name = SCHEMA.partition("/schema/main/")[2]
    (own,) = (schema for schema in schemas if schema["$id"].endswith(name))
    return jsonschema.Draft202012Validator(own, registry=registry)


@pytest.fixture(scope="module")
def draft() -> dict[str, Any]:
    return notice(skymap(Result.read(as_result(scanned(fisher(77.4, 5.7, 0.6))))), final=True)


def test_a_draft_is_valid_before_and_after_people_have_filled_it(
    validator: jsonschema.Draft202012Validator, draft: dict[str, Any]
) -> None:
    validator.validate(draft["notice"])
    assert {missing["field"] for missing in draft["missing"]} == BY_PEOPLE.keys()
    validator.validate({**draft["notice"], **BY_PEOPLE})


def test_the_draft_of_a_simulated_event_is_a_valid_test(validator: jsonschema.Draft202012Validator) -> None:
    simulated = as_result(scanned(fisher(77.4, 5.7, 0.6)), is_real_event=False)
    made = notice(skymap(Result.read(simulated)), final=True)["notice"]
    assert made["alert_tense"] == "test"
    validator.validate(made)


@pytest.mark.parametrize(
    ("field", "value"),
    [("alert_tense", "injections"), ("pipeline", "SkyDriver"), ("ra", "77.4"), ("far", None)],
)
def test_the_schema_refuses_what_is_wrong(
    validator: jsonschema.Draft202012Validator, draft: dict[str, Any], field: str, value: Any
) -> None:
    assert not validator.is_valid({**draft["notice"], **BY_PEOPLE, field: value})
