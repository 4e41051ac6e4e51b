"""Types of stored documents, and the projections that are made of them."""

from typing import Any, get_args

import pytest

from skydriver.model import documents
from skydriver.model.documents import Scan, WholeScan, inner_type, projection
from skydriver.model.manifest import CLUSTER_FIELDS, EVENT_FIELD, FIELDS

STORED = [one for one in vars(documents).values() if "_id" in getattr(one, "__annotations__", {})]


PARTS = [one for one in STORED if "schema" not in one.__annotations__]


def test_a_projection_names_the_fields_of_its_part_and_of_the_parts_in_it() -> None:
    assert projection(documents.ScanAttempts) == {
        "phase": 1,
        "attempt": 1,
        "ewms_task.clusters.attempt": 1,
        "ewms_task.clusters.state": 1,
    }
    assert projection(documents.ScanUnderWay)["result.is_final"] == 1
    assert projection(documents.ScanAlive)["result"] == 1


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_part_names_no_field_that_a_scan_has_not(part: Any) -> None:
    assert part.__annotations__.keys() <= WholeScan.__annotations__.keys()
    assert {path.split(".")[0] for path in projection(part)} == part.__annotations__.keys() - {"_id"}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_what_is_read_of_an_object_that_may_be_null_may_be_missing(part: Any) -> None:
    """MongoDB leaves `progress` out where `progress.tallies` is asked for, and `progress` is null."""
    for name, annotation in part.__annotations__.items():
        of_whole = WholeScan.__annotations__[name]
        if inner_type(annotation) is not inner_type(of_whole) and type(None) in get_args(annotation):
            raise AssertionError(f"{part.__name__}.{name} must be NotRequired")


def test_what_users_see_is_stored() -> None:
    assert set(FIELDS) - {EVENT_FIELD} <= set(Scan.__annotations__)
    assert set(CLUSTER_FIELDS) <= set(documents.Cluster.__annotations__)


def test_every_document_says_which_version_of_the_types_it_is_of() -> None:
    # What says nothing must be a part, which is tested above.
    assert {one.__name__ for one in STORED if one not in PARTS} == {
        *("Scan", "WholeScan", "I3Event", "ResultPiece", "Submission", "HandledEvent"),
        *("Limits", "ObservationLease", "Totals", "ImportAside", "SweepRecord"),
    }
