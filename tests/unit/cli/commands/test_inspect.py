import json
from pathlib import Path
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
        (
            ["--run", "7", "--filter", '{"event_metadata.run_id": {"$gt": 3}, "is_deleted": true}'],
            {
                "$and": [{"event_metadata.run_id": 7}, {"event_metadata.run_id": {"$gt": 3}}],
                "is_deleted": True,
            },
        ),
        (
            ["--run", "7", "--filter", '{"$and": [{"event_metadata.run_id": 7}], "is_deleted": {"$ne": 1}}'],
            {
                "event_metadata.run_id": 7,
                "$and": [{"event_metadata.run_id": 7}],
                "is_deleted": {"$ne": 1},
            },
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
    first, second = answer.stdout.splitlines()
    assert first.split()[0] == "y"
    assert "RUNNING,deleted\tfailed" in first
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


def test_logs(run: Any, service: Any, terminal: Any) -> None:
    server = f"https://logs.example/d/logs?orgId=1&var-container=skyscan-server-{'5d2e' * 8}"
    kept = {"name": "sub-2", "n_workers": 9, "url": "https://s3.example/logs.zip?X=1", "reason": None}
    answer = {"scanner_server": {"url": server}, "worker_clusters": [kept]}
    service.on("GET", "/scan/x/logs", answer)
    terminal(80)
    lines = run("logs", "x").stdout.splitlines()
    # Links are whole, to be copied.
    assert lines == [
        "server     its logs are at",
        server,
        "workers    sub-2, of 9 workers:",
        "https://s3.example/logs.zip?X=1",
    ]
    assert json.loads(run("logs", "x", "--json").stdout) == answer


def test_request(run: Any, service: Any) -> None:
    asked = {"scan_id": "x", "nsides": {"8": 0}, "submitted_by": None}
    service.on("GET", "/scan-request/x", asked)
    assert run("request", "x").stdout.splitlines() == [
        "scan_id      x",
        'nsides       {"8":0}',
        "submitted_by null",
    ]
    assert json.loads(run("request", "x", "--json").stdout) == asked


def test_an_event_can_be_scanned_again(run: Any, service: Any, tmp_path: Path) -> None:
    event = {"value": {"data": {"run_id": 7}}}
    service.on("GET", "/scan/x/i3-event", {"i3_event": event})
    assert json.loads(run("event", "x").stdout) == event
    assert json.loads(run("event", "x", "--json").stdout) == {"i3_event": event}
    answer = run("event", "x", "-o", str(tmp_path / "event.json"))
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert json.loads((tmp_path / "event.json").read_text()) == event


WHOLE = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"


def test_the_beginning_of_an_id_will_do(run: Any, service: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": [{"scan_id": WHOLE}]})
    service.on("GET", f"/scan-request/{WHOLE}", {"scan_id": WHOLE})
    assert WHOLE in run("request", "5d2e7f0a").stdout
    assert service.requests[0].body["filter"] == {"scan_id": {"$gte": "5d2e7f0a", "$lt": "5d2e7f0a~"}}


OF_V2 = "19505db3e88x43484e1c9f2ba7d05e6c1b3f8a2d"


@pytest.mark.parametrize(
    "beginning", ["19505db3e88", "19505db3e88x", "19505db3e88x43", OF_V2[:32], OF_V2[:-1], OF_V2]
)
def test_the_beginning_of_an_id_of_v2_will_do(run: Any, service: Any, beginning: str) -> None:
    service.on("POST", "/scans/find", {"manifests": [{"scan_id": OF_V2}]})
    service.on("GET", f"/scan-request/{OF_V2}", {"scan_id": OF_V2})
    answer = run("request", beginning)
    assert answer.exit_code == 0, answer.output
    assert OF_V2 in answer.stdout
    assert service.requests[0].body["filter"] == {"scan_id": {"$gte": beginning, "$lt": f"{beginning}~"}}


def test_a_whole_id_is_taken_also_where_a_longer_one_begins_with_it(run: Any, service: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": [{"scan_id": f"{OF_V2}0"}, {"scan_id": OF_V2}]})
    service.on("GET", f"/scan-request/{OF_V2}", {"scan_id": OF_V2})
    assert run("request", OF_V2).exit_code == 0


@pytest.mark.parametrize("whole", [WHOLE, "abc", "x19505db3e88", "my-scan"])
def test_what_is_no_beginning_is_not_looked_for(run: Any, service: Any, whole: str) -> None:
    service.on("GET", f"/scan-request/{whole}", {"scan_id": whole})
    assert run("request", whole).exit_code == 0
    assert len(service.requests) == 1


def test_a_beginning_of_several_ids_is_wrong_usage(run: Any, service: Any) -> None:
    service.on("POST", "/scans/find", {"manifests": [{"scan_id": WHOLE}, {"scan_id": f"{WHOLE[:-1]}1"}]})
    answer = run("stop", "5d2e7f0a")
    assert answer.exit_code == 2
    assert "several scans" in answer.stderr
    assert service.asked("DELETE", f"/scan/{WHOLE}") == []
