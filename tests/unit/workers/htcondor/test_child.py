"""What the child process does with a schedd, by a schedd that is made up."""

import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from skydriver.workers.htcondor import child, job_summary
from skydriver.workers.htcondor.child import (
    HTCondorError,
    classify_error,
    history,
    logs,
    observe,
    run,
    start,
    stop,
)
from skydriver.workers.htcondor.job_summary import DUPLICATE_SUBMISSION, UUID

U = "fedcba9876543210"
Ad = dict[str, Any]


def job(cluster: int, status: int = 1, uuid: str = U, age: float = 0.0, **attributes: Any) -> Ad:
    entered = int(time.time() - age)
    return {
        "ClusterId": cluster,
        "ProcId": 0,
        UUID: uuid,
        "JobStatus": status,
        "EnteredCurrentStatus": entered,
    } | (attributes)


def spooling(cluster: int, age: float = 0.0) -> Ad:
    return job(cluster, 5, age=age, HoldReasonCode=16)


class MadeUp:
    """A schedd whose queue and history a test says; it notes what it is told to do."""

    def __init__(self, queue: list[Ad] | None = None, history: list[Ad] | None = None) -> None:
        self.queue = queue or []
        self.past = history or []
        self.told: list[tuple[str, str]] = []
        self.queries = 0
        self.submitted: list[tuple[Mapping[str, str], int, bool]] = []
        self.output: dict[str, str] = {}

    def jobs(self, constraint: str, attributes: tuple[str, ...]) -> list[Ad]:
        self.queries += 1
        found = self.queue
        if before := re.search(r"HoldReasonCode == 16 && EnteredCurrentStatus < (\d+)", constraint):
            spooling = [ad for ad in found if ad.get("HoldReasonCode") == 16]
            found = [ad for ad in spooling if ad["EnteredCurrentStatus"] < int(before[1])]
        if "JobStatus == 2" in constraint:
            found = [ad for ad in found if ad["JobStatus"] == 2]
        if "JobStatus != 3 ||" in constraint:
            found = [ad for ad in found if ad["JobStatus"] != 3 or "RemoteHost" in ad]
        elif "JobStatus != 3" in constraint:
            found = [ad for ad in found if ad["JobStatus"] != 3]
        elif "RemoteHost isnt undefined" in constraint:
            found = [ad for ad in found if "RemoteHost" in ad]
        return list(found)

    def groups(self, constraint: str, attributes: tuple[str, ...]) -> list[Ad]:
        """Answer as a schedd does: the attributes that were asked for, and how many jobs have them."""
        self.queries += 1
        counts = Counter(tuple((name, ad[name]) for name in attributes if name in ad) for ad in self.queue)
        return [{**dict(alike), "JobCount": n} for alike, n in counts.items()]

    def history(self, constraint: str, attributes: tuple[str, ...], *, limit: int, since: float) -> list[Ad]:
        return self.past[:limit]

    def submit(self, description: Mapping[str, str], n: int, *, spool: bool) -> int:
        self.submitted.append((description, n, spool))
        return 99

    def remove(self, constraint: str, reason: str) -> None:
        self.told.append(("remove", constraint))
        if UUID in constraint:
            for ad in self.queue:
                ad["JobStatus"] = 3

    def forget(self, constraint: str, reason: str) -> None:
        self.told.append(("forget", constraint))
        self.queue.clear()

    def hold(self, constraint: str, reason: str) -> None:
        self.told.append(("hold", constraint))
        for ad in self.queue:
            if ad["JobStatus"] == 2:
                ad["JobStatus"] = 5

    def fetch(self, number: str) -> None:
        if number not in self.output:
            raise HTCondorError("schedd", "no such file")
        Path("_condor_stdout").write_text(self.output[number])


START = {
    "uuid": U,
    "description": {"executable": "x"},
    "count": 7,
    "spool": True,
    "spool_timeout": 120,
    "since": 0,
}


# `start` and the others only use what MadeUp has.
def _start(schedd: Any) -> Any:
    return start(schedd, START)["cluster_id"]


def test_a_cluster_that_is_nowhere_is_submitted() -> None:
    schedd = MadeUp()
    assert _start(schedd) == 99
    assert schedd.submitted == [({"executable": "x"}, 7, True)]
    assert schedd.told == []


@pytest.mark.parametrize(
    ("queue", "history", "kept", "removed"),
    [
        ([job(5)], [], 5, []),
        ([job(5), job(5, 2), job(5, 5, HoldReasonCode=6)], [], 5, []),
        ([job(8), job(5), job(7)], [], 5, ["ClusterId == 7 || ClusterId == 8"]),
        ([], [job(5, 4)], 5, []),
        ([], [job(5, 3, RemoveReason="by user bob")], 5, []),
        ([spooling(4, age=500), job(5)], [], 5, ["ClusterId == 4"]),
    ],
)
def test_a_cluster_that_is_there_is_kept(
    queue: list[Ad], history: list[Ad], kept: int, removed: list[str]
) -> None:
    schedd = MadeUp(queue, history)
    assert _start(schedd) == kept
    assert schedd.told == [("remove", which) for which in removed]
    assert schedd.submitted == []


def test_a_submission_under_way_is_let_be() -> None:
    schedd = MadeUp([spooling(5, age=60)])
    with pytest.raises(HTCondorError) as caught:
        _start(schedd)
    assert caught.value.kind == "under way"
    assert (schedd.told, schedd.submitted) == ([], [])


def test_a_submission_left_half_done_is_repeated() -> None:
    schedd = MadeUp([spooling(5, age=121)])
    assert _start(schedd) == 99
    assert schedd.told == [("remove", "ClusterId == 5")]


def test_what_we_have_superseded_is_no_submission() -> None:
    ours: dict[str, Any] = {"RemoveReason": f"{DUPLICATE_SUBMISSION} (by user alice)"}
    assert _start(MadeUp([job(4, 3, **ours)], [job(3, 3, **ours)])) == 99


def _observe(schedd: Any, **recorded: int) -> dict[str, int]:
    seen = observe(schedd, {"clusters": recorded, "spool_timeout": 120})["seen"]
    return {uuid: job_summary.from_json(kinds).total() for uuid, kinds in seen.items()}


def test_all_clusters_are_counted_with_one_query_and_no_others() -> None:
    schedd = MadeUp([job(1, uuid="a"), job(1, uuid="a"), job(2, uuid="b"), job(3, uuid="somebody else's")])
    assert _observe(schedd, a=1, b=2, c=3) == {"a": 2, "b": 1}
    assert schedd.queries == 1
    assert schedd.told == []


def test_jobs_whose_input_is_spooled_for_too_long_are_not_alive() -> None:
    queue = [{**spooling(cluster, age), UUID: uuid} for cluster, age, uuid in ((1, 60, "a"), (2, 500, "b"))]
    schedd: Any = MadeUp([*queue, job(3, uuid="c")])
    seen = observe(schedd, {"clusters": {"a": 1, "b": 2, "c": 3}, "spool_timeout": 120})["seen"]
    alive = {uuid: job_summary.alive(job_summary.from_json(kinds)) for uuid, kinds in seen.items()}
    assert alive == {"a": 1, "b": 0, "c": 1}
    assert schedd.queries == 2


def test_others_that_are_still_there_are_told() -> None:
    schedd: Any = MadeUp([job(1, uuid="a"), job(2, uuid="b"), job(3, 3, uuid="c"), job(4, 4, uuid="d")])
    assert observe(schedd, {"clusters": {"a": 1}, "spool_timeout": 120})["others"] == ["b"]
    assert schedd.told == []


def test_another_cluster_of_a_uuid_is_removed() -> None:
    schedd = MadeUp([job(1, uuid="a"), job(7, uuid="a"), job(8, 3, uuid="a")])
    assert _observe(schedd, a=7) == {"a": 1}
    assert schedd.told == [("remove", "ClusterId == 1")]


def test_the_history_is_counted_by_uuid() -> None:
    schedd: Any = MadeUp(history=[job(1, 4, "a"), job(1, 4, "a"), job(2, 3, "b")])
    seen = history(schedd, {"clusters": {"a": 1, "b": 2}, "limit": 10, "since": 0})["seen"]
    assert {uuid: job_summary.from_json(kinds).total() for uuid, kinds in seen.items()} == {"a": 2, "b": 1}


def _stop(schedd: Any, until: float, cluster_id: int | None = None) -> Any:
    return stop(schedd, {"uuid": U, "cluster_id": cluster_id, "until": until})["left"]


def test_a_stopped_cluster_is_removed_once() -> None:
    schedd = MadeUp([job(1), job(1, 5)])
    assert _stop(schedd, time.time() + 10) == 0
    assert schedd.told == [("remove", f'{UUID} == "{U}"')]
    assert _stop(schedd, time.time() + 10) == 0
    assert len(schedd.told) == 1


def test_a_cluster_that_others_have_started_is_removed_by_its_number() -> None:
    schedd = MadeUp([job(123)])
    assert _stop(schedd, time.time() + 10, cluster_id=123) == 0
    [(_, which)] = schedd.told
    assert which == f'({UUID} == "{U}" || ClusterId == 123 && {UUID} is undefined)'


def test_jobs_that_are_not_gone_in_time_are_counted() -> None:
    schedd = MadeUp([job(1, RemoteHost="slot1@there")])
    assert _stop(schedd, time.time() - 1) == 1


def test_jobs_on_machines_that_do_not_answer_are_forgotten_after_a_while() -> None:
    schedd = MadeUp([job(1, 3, age=1000, RemoteHost="slot1@there")])
    assert _stop(schedd, time.time() + 10) == 0
    [(what, which)] = schedd.told
    assert what == "forget"
    assert "EnteredCurrentStatus < " in which


def _logs(schedd: Any, folder: Path, **task: Any) -> Any:
    return logs(schedd, {"uuid": U, "folder": str(folder), "until": time.time() + 0.5, "wait": True, **task})


def test_logs_are_fetched_job_by_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(child, "MAX_LOG", 10)
    schedd = MadeUp([job(1, 4), job(1, 5, ProcId=1), job(1, 1, ProcId=2)])
    schedd.output = {"1.0": "done", "1.1": "a long story that ends"}
    assert _logs(schedd, tmp_path) == {"running": 0, "fetched": 2}
    assert (tmp_path / "worker-0" / "_condor_stdout").read_text() == "done"
    assert (tmp_path / "worker-1" / "_condor_stdout").read_text() == "[...]\n that ends"
    assert not (tmp_path / "worker-2").exists()


def test_jobs_that_run_are_held_first_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schedd = MadeUp([job(1, 2, RemoteHost="slot1@there")])
    schedd.output = {"1.0": "what was there"}
    assert _logs(schedd, tmp_path) == {"running": 1, "fetched": 0}
    assert [what for what, _ in schedd.told] == ["hold"]
    assert _logs(schedd, tmp_path, wait=False)["fetched"] == 1
    assert [what for what, _ in schedd.told] == ["hold"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "Failed to connect to schedd, errmsg=AUTHENTICATE:1003:Failed to authenticate with any method",
            "token",
        ),
        ("Failed communication with collector.", "collector"),
        ("Failed to create job ad, errmsg=Submit:-1:No 'executable' parameter was provided", "description"),
        ("expected next ProcId to be 0, but Schedd says -3", "full"),
        ('SECMAN:2010:Received "DENIED" from server for user x', "denied"),
        ("Something else", "schedd"),
    ],
)
def test_kinds_of_trouble(text: str, kind: str) -> None:
    assert classify_error(text) == kind


def test_without_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "htcondor2", None)
    assert run({"task": "start"})["trouble"] == "bindings"
