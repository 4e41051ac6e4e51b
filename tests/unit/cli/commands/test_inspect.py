import json
from typing import Any

import pytest


def test_history(run: Any, service: Any, transitions: Any) -> None:
    service.on("GET", "/scan/x/history", {"scan_id": "x", "history": transitions})
    table = run("history", "x").stdout
    assert "QUEUED" in table
    assert "a permit was free" in table
    assert json.loads(run("history", "x", "--json").stdout) == {"scan_id": "x", "history": transitions}


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ([], {}),
        (["--run", "7"], {"event_metadata.run_id": 7}),
        (["--run", "7", "--event", "8"], {"event_metadata.run_id": 7, "event_metadata.event_id": 8}),
        (["--classifier", "ok=true"], {"classifiers.ok": True}),
        (["--filter", '{"priority": {"$gt": 3}}'], {"priority": {"$gt": 3}}),
        (
            ["--filter", '{"is_deleted": true}', "--run", "7"],
            {"event_metadata.run_id": 7, "is_deleted": True},
        ),
        (
            ["--run", "7", "--filter", '{"event_metadata.run_id": {"$gt": 3}}'],
            {"$and": [{"event_metadata.run_id": 7}, {"event_metadata.run_id": {"$gt": 3}}]},
        ),
    ],
)
def test_find_asks_for_what_was_said(run: Any, service: Any, arguments: list[str], query: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": []})
    answer = run("find", *arguments)
    assert answer.exit_code == 0
    assert service.requests[0].body == {"filter": query, "include_deleted": False}
    assert answer.stderr == "0 scans found\n"


def test_find_shows_a_line_a_scan(run: Any, service: Any, manifest: Any) -> None:
    ended = manifest | {"scan_id": "y", "timestamp": 1.0, "outcome": "failed", "is_deleted": True}
    service.on("POST", "/scans/find", {"manifests": [manifest, ended]})
    answer = run("find", "--include-deleted")
    first, second = answer.stdout.splitlines()[1:]
    assert first.split()[0] == "y"
    assert "failed, deleted" in first
    for part in ("x", "130033", "50579430", "EHE", "RUNNING", "7", "who=me"):
        assert part in second.split()
    assert answer.stderr == "2 scans found\n"
    assert service.requests[0].body["include_deleted"] is True


def test_find_as_json(run: Any, service: Any, manifest: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": [manifest]})
    answer = run("find", "--json")
    assert json.loads(answer.stdout) == {"manifests": [manifest]}
    assert answer.stderr == ""


def test_a_filter_that_is_no_json(run: Any, service: Any) -> None:
    answer = run("find", "--filter", "run=7")
    assert answer.exit_code == 2
    assert service.requests == []


def test_backlog(run: Any, service: Any) -> None:
    entry = {
        "scan_id": "x",
        "timestamp": 1718712000.0,
        "pending_timestamp": 0.0,
        "priority": 9,
        "next_attempt": 2,
        "reason": "the cluster said no",
    }
    service.on("GET", "/scans/backlog", {"entries": [entry]})
    answer = run("backlog")
    assert "the cluster said no" in answer.stdout
    assert answer.stderr == "1 scan waiting\n"
    assert json.loads(run("backlog", "--json").stdout) == {"entries": [entry]}
