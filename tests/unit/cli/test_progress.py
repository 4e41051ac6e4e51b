from typing import Any

from skydriver.cli.progress import describe_cluster, take_snapshot
from skydriver.model.tallies import Tally, read_tallies


def test_tallies_of_a_scan_that_is_under_way(progress: dict[str, Any]) -> None:
    assert read_tallies(progress) == (
        Tally(nside=8, done=675, expected=768, begun=True),
        Tally(nside=64, done=0, expected=768, begun=False),
    )


def test_snapshot(running: dict[str, Any], manifest: dict[str, Any]) -> None:
    snapshot = take_snapshot(running, manifest)
    assert snapshot.headline == "IN_PROGRESS__PARTIAL_RESULT_GENERATED (RUNNING)"
    assert snapshot.event == "run 130033, event 50579430"
    assert snapshot.time_left == "0:19:25"
    assert not snapshot.complete
    assert not snapshot.succeeded


def test_snapshot_of_a_scan_without_a_report() -> None:
    queued = {
        "scan_state": "PENDING__PRESTARTUP",
        "is_deleted": False,
        "scan_complete": False,
        "clusters": [],
    }
    manifest = {"scan_id": "x", "progress": None, "event_metadata": None}
    snapshot = take_snapshot(queued, manifest)
    assert (snapshot.tallies, snapshot.workers, snapshot.event) == ((), (), None)
    assert snapshot.headline == "PENDING__PRESTARTUP"


def test_a_relaunched_scanner_shows_in_the_headline(
    running: dict[str, Any], manifest: dict[str, Any]
) -> None:
    assert take_snapshot(running | {"attempt": 2}, manifest).headline.endswith("(RUNNING, attempt 2)")


def test_workers_of_a_condor_cluster_most_first(running: dict[str, Any]) -> None:
    assert describe_cluster(running["clusters"][0]) == (
        "sub-2.example: 10 asked; 7 Running/Tasking, 2 Held: (6, 0) no such file, 1 Running"
    )


def test_workers_of_a_cluster_with_a_name_and_a_reason(running: dict[str, Any]) -> None:
    cluster = running["clusters"][0] | {"name": "sub-2", "statuses": {}, "reason": "token expired"}
    assert describe_cluster(cluster) == "sub-2: 10 asked; nothing heard yet (token expired)"


def test_workers_of_a_cluster_that_does_not_answer(running: dict[str, Any]) -> None:
    stale = {"state": "started", "stale_since": 43200.0, "stale_reason": "it does not answer"}
    cluster = running["clusters"][0] | stale
    assert describe_cluster(cluster).endswith("; nothing newer since 12:00:00 UTC: it does not answer")
    assert "nothing newer" not in describe_cluster(cluster | {"state": "stopped"})


def test_workers_that_are_gone(running: dict[str, Any]) -> None:
    assert (
        describe_cluster(running["clusters"][0] | {"state": "stopped"}) == "sub-2.example: 10 asked; all gone"
    )


def test_workers_of_a_kubernetes_cluster_that_says_nothing() -> None:
    cluster = {
        "orchestrator": "k8s",
        "location": {"host": "localhost", "namespace": "local"},
        "cluster_id": "skyscan-1",
        "n_workers": 2,
    }
    assert describe_cluster(cluster) == "localhost/local: 2 asked; nothing heard yet"
