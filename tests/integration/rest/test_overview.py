"""`GET /scans/overview`: whatever is stored, it is right, indexed, and takes few round trips."""

import datetime as dt
import time
import uuid
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from functions.api.get_overview import get_overview
from skydriver.eventing.events import event_type
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.model.transitions import Fact
from skydriver.rest import overview
from skydriver.rest.openapi.schemas import Overview
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import handled_events, observation_leases, rate_limit, sweeps
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import METADATA, change, cluster, result, scan, stored
from tests.support.serving import client_of
from tests.support.trips import Trips

pytestmark = pytest.mark.usefixtures("database")

TALLIES = {
    "nsides": {
        "1": {"done": 12, "est. percent": "12/12 (1.0)"},
        "2": {"done": 5, "est. percent": "5/48 (0.1)"},
    }
}
PROGRESS = {
    "tallies": TALLIES,
    "processing_stats": {
        "predictions": {"time left": "0:30:00"},
        "finished": False,
        "rate": {"overall": "1"},
    },
}


async def ask(**arguments: Any) -> Any:
    async with client_of(get_overview) as client:
        answer = await client.get("/scans/overview", params=arguments)
    assert answer.status_code == 200, answer.text
    jsonschema.Draft202012Validator(Overview.model_json_schema()).validate(answer.json())
    return answer.json()


async def swept(at: float | None = None, **failed: str) -> None:
    await sweeps.note(at=time.time() if at is None else at, failed=failed)


def codes(found: Any) -> list[str]:
    return [problem["code"] for problem in found["problems"]]


async def test_an_empty_service_is_well_once_it_was_swept() -> None:
    before = await ask()
    assert (before["is_well"], codes(before)) == (False, [ReasonCode.SWEEP_LATE])
    await swept()
    found = await ask()
    assert (found["is_well"], found["problems"], found["running"]) == (True, [], [])
    assert found["backlog"] == {"total": 0, "since": None, "skip": 0, "entries": []}
    assert found["ended"] == {"counts": {"finished": 0, "aborted": 0, "failed": 0}, "skip": 0, "entries": []}


async def test_what_runs_is_shown_alerts_first_with_progress_workers_and_what_holds_it_up() -> None:
    now = time.time()
    report = {"attempt": 1, "finished": False, "order": "", "at": now}
    workers = cluster(statuses={"Running": {"Tasking": 2}})
    plain = await stored(
        Phase.RUNNING, clusters=[workers], progress=PROGRESS, report=report, result=result(is_final=False)
    )
    told = {"report": report, "phase_since": now - 200, **METADATA}
    alert = await stored(Phase.RUNNING, priority=100, clusters=[cluster("b")], **told)
    await swept()
    found = await ask()
    first, second = found["running"]
    assert (first["scan_id"], first["run_id"], first["held_up"]["code"]) == (
        alert,
        130033,
        ReasonCode.WORKERS_NOT_RUNNING,
    )
    assert codes(found) == [ReasonCode.ALERT_HELD_UP]
    assert found["problems"][0]["scan_id"] == alert
    assert second["scan_id"] == plain
    assert second["nsides"] == [
        {"nside": 1, "done": 12, "expected": 12},
        {"nside": 2, "done": 5, "expected": 48},
    ]
    assert second["predicted_end"] == pytest.approx(now + 1800)
    assert second["workers"] == {
        "running": 2,
        "asked": 2,
        "clusters": [{"name": "local", "n_workers": 2, "stale_since": None}],
    }
    assert (second["held_up"], second["has_result"], first["has_result"]) == (None, True, False)
    assert found["counts"] == {"RUNNING": 2}


async def test_the_backlog_comes_in_its_order_in_pages_with_why_each_waits() -> None:
    await swept()
    late = [await stored(timestamp=1000.0 + n) for n in range(5)]
    alert = await stored(priority=100, timestamp=time.time())
    found = (await ask(backlog_limit=2))["backlog"]
    assert [entry["scan_id"] for entry in found["entries"]] == [alert, late[0]]
    assert [entry["held_up"]["code"] for entry in found["entries"]] == ["next_sweep", "alerts_first"]
    assert (found["total"], found["since"]) == (6, 1000.0)
    more = (await ask(backlog_skip=4, backlog_limit=2))["backlog"]
    assert [(entry["place"], entry["scan_id"]) for entry in more["entries"]] == [(5, late[3]), (6, late[4])]


async def test_what_ended_within_a_day_and_how() -> None:
    now = time.time()
    await stored(Phase.ENDED, phase_since=now - 2 * overview.LATELY, outcome=Outcome.FINISHED)
    await stored(Phase.ENDED, phase_since=now - 5, outcome=Outcome.FINISHED, is_deleted=True)
    older = await stored(Phase.ENDED, phase_since=now - 100, outcome=Outcome.FINISHED, **METADATA)
    newer = await stored(
        Phase.ENDED,
        phase_since=now - 10,
        outcome=Outcome.FAILED,
        reason="it broke",
        reason_code="scanner_failed",
    )
    found = (await ask())["ended"]
    assert found["counts"] == {"finished": 1, "aborted": 0, "failed": 1}
    assert [entry["scan_id"] for entry in found["entries"]] == [newer, older]
    assert found["entries"][0]["reason"] == "it broke"
    page = (await ask(ended_skip=1, ended_limit=1))["ended"]
    assert [entry["scan_id"] for entry in page["entries"]] == [older]


async def test_an_abort_is_counted_and_listed_though_it_hides_its_scan() -> None:
    now = time.time()
    finished = await stored(Phase.ENDED, phase_since=now - 30, outcome=Outcome.FINISHED)
    aborted = await stored(Phase.ENDED, phase_since=now - 20, outcome=Outcome.ABORTED, is_deleted=True)
    shown = await stored(Phase.ENDED, phase_since=now - 40, outcome=Outcome.ABORTED)
    await stored(Phase.ENDED, phase_since=now - 10, outcome=Outcome.FAILED, is_deleted=True)
    found = (await ask())["ended"]
    assert found["counts"] == {"finished": 1, "aborted": 2, "failed": 0}
    assert [(entry["scan_id"], entry["is_deleted"]) for entry in found["entries"]] == [
        (aborted, True),
        (finished, False),
        (shown, False),
    ]
    page = (await ask(ended_skip=1, ended_limit=1))["ended"]
    assert [entry["scan_id"] for entry in page["entries"]] == [finished]


async def test_whatever_is_wrong_with_the_service_is_told() -> None:
    now = time.time()
    await swept(now - 1000, admit_backlog="the database is slow")
    await observation_leases.acquire("condor/cm/sub-2", seconds=1)
    await observation_leases.note_silence("condor/cm/sub-2", since=now - 50, reason="timed out")
    await observation_leases.note_silence("condor/cm/sub-2", since=now, reason="refused")
    await stored(timestamp=now - 1000)
    stuck = await stored(Phase.RUNNING)
    await change(stuck, outbox={"scan_ended": {"id": "1"}}, outbox_since=now - 500)
    await handled_events.remember("/skydriver/sweep", "1", event_type(Fact.READY))
    await handled_events.remember("/skydriver/sweep", "2", "something else")
    found = await ask()
    assert codes(found) == [
        ReasonCode.SWEEP_LATE,
        ReasonCode.SWEEP_FAILED,
        ReasonCode.LOCATION_SILENT,
        ReasonCode.EVENTS_NOT_PUBLISHED,
        ReasonCode.DEAD_LETTERS,
        ReasonCode.BACKLOG_STUCK,
    ]
    assert found["silent_locations"] == [
        {"location": "condor/cm/sub-2", "since": now - 50, "reason": "refused"}
    ]
    letters = [(letter["fact"], letter["n"]) for letter in found["dead_letters"]]
    assert letters == [("scanner.ready", 1), ("other", 1)]
    assert found["sweep"]["failed"] == {"admit_backlog": "the database is slow"}
    await observation_leases.note_answer("condor/cm/sub-2")
    assert ReasonCode.LOCATION_SILENT not in codes(await ask())


async def test_a_backlog_that_the_limits_explain_is_no_problem(configure: Callable[..., None]) -> None:
    configure(SCANS_RUNNING="1")
    await swept()
    await stored(timestamp=time.time() - 1000)
    assert codes(await ask()) == [ReasonCode.BACKLOG_STUCK]
    await rate_limit.acquire("x", now=1.0, starts_per_minute=9, scans_running=9, unlimited=False)
    assert codes(await ask()) == []
    # No limit delays an alert.
    await stored(priority=100, timestamp=time.time() - 1000)
    assert codes(await ask()) == [ReasonCode.BACKLOG_STUCK]


async def test_old_dead_letters_are_counted_but_no_problem() -> None:
    await swept()
    await handled_events.remember("/skydriver/sweep", "1", event_type(Fact.READY))
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=5)
    await collection(handled_events.NAME).update_many({}, {"$set": {"at": long_ago}})
    found = await ask()
    assert (found["is_well"], found["dead_letters"][0]["n"]) == (True, 1)


async def test_as_long_as_nothing_changes_the_answer_is_a_304() -> None:
    await swept()
    scan_id = await stored(Phase.RUNNING)
    async with client_of(get_overview) as client:
        first = await client.get("/scans/overview")
        known = {"If-None-Match": first.headers["etag"]}
        assert first.headers["cache-control"] == "private, no-cache"
        again = await client.get("/scans/overview", headers=known)
        assert (again.status_code, again.content) == (304, b"")
        await change(scan_id, attempt=2)
        assert (await client.get("/scans/overview", headers=known)).status_code == 200


@pytest.mark.parametrize(("running", "queued"), [(0, 0), (1, 1), (200, 10_000)])
async def test_it_takes_at_most_four_round_trips_whatever_is_stored(
    trips: Trips, running: int, queued: int
) -> None:
    """The database is filled behind the service's back: ten thousand scans, one by one, take long."""
    await swept()
    documents = [
        scan(
            Phase.RUNNING, clusters=[cluster(f"{n}", statuses={"Running": {"Tasking": 1}})], progress=PROGRESS
        )
        for n in range(running)
    ]
    template = scan(Phase.QUEUED)
    documents += [
        {**template, "_id": f"queued{n}", "scan_id": f"queued{n}", "timestamp": float(n)}
        for n in range(queued)
    ]
    if documents:
        await collection(scan_document.NAME).insert_many(documents)
    await PerLoop.close_all()  # a client heeds the listeners there are when it is made
    await ask()
    trips.asked.clear()
    found = await ask(backlog_skip=max(queued - 10, 0))
    assert len(trips.asked) <= 4, trips.asked
    assert (len(found["running"]), found["backlog"]["total"]) == (running, queued)
    assert len(found["backlog"]["entries"]) == min(queued, 10)
    whole = await ask(backlog_limit=500)
    assert len(whole["backlog"]["entries"]) == min(queued, 500)


async def test_no_query_looks_at_more_scans_than_it_shows(configure: Callable[..., None]) -> None:
    configure(MONGODB_DATABASE=f"test-{uuid.uuid4().hex[:12]}")  # its profiler's notes cannot be deleted
    await ensure_indexes()
    now = time.time()
    for n in range(20):
        await stored(timestamp=float(n))
        await stored(Phase.ENDED, phase_since=now - n)
        await stored(Phase.ENDED, phase_since=now - 10 * overview.LATELY)
    for state in (ClusterState.STARTED, ClusterState.STOPPED):
        await stored(Phase.RUNNING, clusters=[cluster(state, state)])
    database = collection(scan_document.NAME).database
    await database.command("profile", 2)
    try:
        await ask(backlog_limit=3, backlog_skip=4, ended_limit=5)
    finally:
        await database.command("profile", 0)
    asked = await database["system.profile"].find({"ns": f"{database.name}.scans"}).to_list(None)
    await database.client.drop_database(database.name)
    looked = {
        "aggregate"
        if "aggregate" in one["command"]
        else one["command"]["filter"]["phase"].__class__.__name__: one
        for one in asked
    }
    assert len(asked) == 3
    assert all("COLLSCAN" not in one.get("planSummary", "") for one in asked)
    # The backlog's page and what it passes over; what runs; what has ended, counted and passed by an index.
    assert looked["str"]["docsExamined"] <= 7
    assert looked["dict"]["docsExamined"] == 2
    assert looked["aggregate"]["docsExamined"] <= 5
