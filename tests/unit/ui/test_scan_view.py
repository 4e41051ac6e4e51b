"""What the page of a scan shows, made of its document."""

from typing import Any

import pytest

from skydriver.model.phases import Phase
from skydriver.ui.scan_view import FIELDS, scan_view
from tests.support.documents import cluster, result, scan

pytestmark = pytest.mark.usefixtures("configure")


def view(document: Any, other: Any = None) -> dict[str, Any]:
    read = {"_id": document["_id"], **{name: document[name] for name in FIELDS if name in document}}
    return scan_view(read, other, now=2000.0)


def test_errors_are_added_up_over_clusters_and_by_site_the_worst_first() -> None:
    clusters = [
        cluster("a", top_task_errors={"x": 1, "y": 5}, errors_by_site={"WIPAC": {"x": 1}, "DESY": {"y": 5}}),
        cluster("b", top_task_errors={"x": 3}, errors_by_site={"WIPAC": {"x": 3}}),
    ]
    found = view(scan(Phase.RUNNING, clusters=clusters))
    assert found["errors"] == [("y", 5), ("x", 4)]
    assert found["sites"] == [
        {"site": "DESY", "n": 5, "errors": [("y", 5)]},
        {"site": "WIPAC", "n": 4, "errors": [("x", 4)]},
    ]


def test_the_timeline_has_what_happened_and_what_failed_the_latest_first() -> None:
    document = scan(Phase.LAUNCHING)
    document["history"] = [
        {"phase": "QUEUED", "time": 10.0, "cause": "POST /scan", "function": "create_scan"},
        {
            "phase": "LAUNCHING",
            "time": 30.0,
            "cause": f"{document['_id']}/x",
            "function": "sweep",
            "attempt": 1,
        },
    ]
    tried = {
        "function": "launch_scanner",
        "cluster": None,
        "name": None,
        "event_type": None,
        "reason": "full",
    }
    document["failed_tries"] = [
        {
            **tried,
            "reason_code": "scanner_start_no_room",
            "first": 15.0,
            "last": 20.0,
            "times": 2,
            "recent": [],
        }
    ]
    timeline = view(document)["timeline"]
    assert [(line["time"], line["phase"]) for line in timeline] == [
        (30.0, "LAUNCHING"),
        (20.0, None),
        (10.0, "QUEUED"),
    ]
    assert timeline[0]["cause"] == "x"


def test_a_result_that_is_kept_no_longer_has_no_products() -> None:
    removed = {**result(is_final=True), "removed_at": 5.0}
    assert view(scan(Phase.ENDED, result=removed))["products"] == []
    names = [product["name"] for product in view(scan(Phase.ENDED, result=result(is_final=True)))["products"]]
    assert "Draft of a GCN notice" in names


def test_what_may_hold_secrets_is_not_shown() -> None:
    document = scan(Phase.RUNNING)
    document["request"]["scanner_server_env_from_user"] = {"PASSWORD": "hunter2"}
    assert "hunter2" not in str(view(document))
