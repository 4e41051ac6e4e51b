from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.documents import Request
from skydriver.model.manifest import (
    DEFAULT_FIELDS,
    EVENT_FIELD,
    EVENT_MARKER,
    FIELDS,
    FIND_FIELDS,
    manifest_of,
    resolve_projection,
)
from skydriver.model.scan import new_scan
from skydriver.model.worker_pools import LocalCluster, cluster_entry

README_FIELDS = {
    "scan_id",
    "timestamp",
    "is_deleted",
    "event_i3live_json_dict",
    "scanner_server_args",
    "priority",
    "classifiers",
    "event_i3live_json_dict__hash",
    "ewms_task",
    "event_metadata",
    "scan_metadata",
    "progress",
    "last_updated",
}
REQUEST = {"scan_id": "5d2e", "priority": 0, "i3_event_id": "e7e7", "submitted_by": None}
KNOWN = LocalCluster.model_validate(
    {"orchestrator": "local", "location": {"host": "localhost", "namespace": "local"}}
)


@pytest.fixture
def scan() -> Any:
    nothing: Any = {}
    return new_scan(
        cast(Request, REQUEST),
        now=1.0,
        cause="requested",
        function="create_scan",
        scanner_server_args="--reco-algo dummy",
        tms_args=[],
        env_vars=nothing,
        classifiers={},
        outbox=nothing,
    )


def cluster(uuid: str, cluster_id: int | str | None) -> Any:
    entry = cluster_entry(name="local", known=KNOWN, n_workers=3, uuid=uuid, attempt=1)
    return {**entry, "cluster_id": cluster_id}


def test_a_manifest_has_every_field_of_the_readme() -> None:
    assert set(FIELDS) >= README_FIELDS


def test_all_but_one_route_leave_out_the_event_by_default() -> None:
    assert set(FIELDS) - set(DEFAULT_FIELDS) == {"event_i3live_json_dict"}


def test_find_never_shows_three_fields() -> None:
    assert set(FIELDS) - set(FIND_FIELDS) == {
        "ewms_task",
        "event_i3live_json_dict",
        "event_i3live_json_dict__hash",
    }


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (None, DEFAULT_FIELDS),
        ([], ()),
        (["progress"], ("progress",)),
        (["progress", "scan_id", "progress"], ("scan_id", "progress")),
        (["*"], FIELDS),
        (["scan_id", "*"], FIELDS),
        # v1 took this for a request of the event, too
        (["event_i3live_json_dict__hash"], ("event_i3live_json_dict__hash",)),
    ],
)
def test_projections(asked: list[str] | None, fields: tuple[str, ...]) -> None:
    assert resolve_projection(asked, DEFAULT_FIELDS) == fields


def test_a_star_gives_all_that_a_route_may_show() -> None:
    assert resolve_projection(["*"], FIND_FIELDS, FIND_FIELDS) == FIND_FIELDS


@pytest.mark.parametrize("asked", ["foo", "", "_id", "request", "outbox", "history", "progress.summary"])
def test_an_unknown_field_is_named_with_those_there_are(asked: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown field '{asked}'; there are: \*, scan_id, ") as caught:
        resolve_projection(["scan_id", asked], DEFAULT_FIELDS)
    assert all(field in str(caught.value) for field in FIELDS)


def test_a_field_that_a_route_never_shows_is_unknown_there() -> None:
    with pytest.raises(ValueError, match="unknown field 'ewms_task'"):
        resolve_projection(["ewms_task"], FIND_FIELDS, FIND_FIELDS)


@given(st.lists(st.sampled_from(FIELDS)))
def test_a_projection_gives_what_was_asked_for_once_in_the_manifests_order(asked: list[str]) -> None:
    fields = resolve_projection(asked, DEFAULT_FIELDS)
    assert set(fields) == set(asked)
    assert list(fields) == sorted(fields, key=FIELDS.index)


def test_a_manifest_holds_what_was_asked_for_and_nothing_of_the_services_own(scan: dict[str, Any]) -> None:
    assert set(manifest_of(scan, DEFAULT_FIELDS)) == set(DEFAULT_FIELDS)
    assert manifest_of(scan, ["scan_id"]) == {"scan_id": "5d2e"}
    assert manifest_of(scan, []) == {}


def test_a_marker_stands_where_the_event_is_left_out(scan: dict[str, Any]) -> None:
    assert manifest_of(scan, [EVENT_FIELD]) == {EVENT_FIELD: EVENT_MARKER}


def test_planned_clusters_are_not_shown(scan: dict[str, Any]) -> None:
    scan["ewms_task"]["clusters"] = [cluster("a", None), cluster("b", "skyscan-b"), cluster("c", 0)]
    shown = manifest_of(scan, ["ewms_task"])["ewms_task"]
    assert [(one["uuid"], one["cluster_id"]) for one in shown["clusters"]] == [("b", "skyscan-b"), ("c", 0)]
    assert (shown["complete"], shown["tms_args"]) == (False, [])


def test_a_cluster_is_shown_without_the_services_own_fields(scan: dict[str, Any]) -> None:
    scan["ewms_task"]["clusters"] = [cluster("a", 7)]
    (shown,) = manifest_of(scan, ["ewms_task"])["ewms_task"]["clusters"]
    assert shown == {
        "orchestrator": "local",
        "location": {"host": "localhost", "namespace": "local"},
        "uuid": "a",
        "cluster_id": 7,
        "n_workers": 3,
        "starter_info": {},
        "statuses": {},
        "top_task_errors": {},
        "errors_by_site": {},
        "name": "local",
        "state": "requested",
        "reason": None,
        "reason_code": None,
        "observed_at": None,
        "stale_since": None,
        "stale_reason": None,
    }


def test_showing_a_manifest_changes_no_document(scan: dict[str, Any]) -> None:
    scan["ewms_task"]["clusters"] = [cluster("a", None)]
    manifest_of(scan, FIELDS)
    assert len(scan["ewms_task"]["clusters"]) == 1
