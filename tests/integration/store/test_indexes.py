"""No query goes through a whole collection: what MongoDB's profiler says of what was really asked."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_asyncio

from skydriver.lifecycle.scanner.reports import report_manifest, report_result
from skydriver.lifecycle.sweep import sweep as sweeping
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.rest.search import FindArguments
from skydriver.store import handled_events, i3_events, rate_limit, results
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import collection
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.store.scans import overview as scan_overview
from skydriver.store.scans import search as scan_search
from tests.support.documents import METADATA, Document, cluster, report, stored
from tests.support.parts import Jobs

Profile = Callable[[], Any]

FILTERS: list[Document] = [
    {"event_metadata.run_id": 130033, "event_metadata.event_id": 50579430},
    {"event_metadata.run_id": 130033},
    {"event_metadata.event_id": {"$gte": 50579430}},
    {"classifiers.rescan": True},
    {"classifiers.origin_scan_id": "scan0001"},
    {"timestamp": {"$gte": 1.0, "$lt": 2.0}},
    {"phase": "RUNNING"},
    {"phase": {"$in": ["RUNNING", "STOPPING"]}, "priority": {"$gte": 100}},
    {"is_deleted": True},
    {"submitted_by": "someone"},
    {"i3_event_id": "an event"},
    {"scan_id": "scan0001", "timestamp": {"$gte": 0}},
]


@pytest_asyncio.fixture
async def profile(database: None, configure: Callable[..., None]) -> AsyncIterator[Profile]:
    """A database whose profiler notes every operation; says which went through a whole collection."""
    configure(MONGODB_DATABASE=f"test-{uuid.uuid4().hex[:12]}")
    await ensure_indexes()
    # With a few of every kind, the planner has a choice.
    for phase in Phase:
        for n in range(3):
            clusters = [
                cluster(f"{phase}{n}", state) for state in (ClusterState.STARTED, ClusterState.STOPPED)
            ]
            await stored(phase, clusters=clusters, **METADATA, priority=n)
    for scan_id in ("scan0001", "scan0002"):
        await results.put(scan_id, b"{}")
    database_of_ours = collection(scan_document.NAME).database
    await database_of_ours.command("profile", 2)

    async def operations() -> list[Document]:
        found: list[Document] = []
        async for one in database_of_ours["system.profile"].find({"planSummary": {"$exists": True}}):
            if one["ns"].rpartition(".")[2] in (
                scan_document.NAME,
                results.NAME,
                handled_events.NAME,
                i3_events.NAME,
                rate_limit.NAME,
            ):
                found.append(one)
        return found

    yield operations
    await database_of_ours.command("profile", 0)
    await database_of_ours.client.drop_database(database_of_ours.name)


def _whole(operations: list[Document]) -> list[Any]:
    return [one["command"] for one in operations if "COLLSCAN" in one["planSummary"]]


async def test_what_users_look_for_is_found_by_an_index(profile: Profile) -> None:
    for condition in FILTERS:
        for include_deleted in (True, False):
            arguments = FindArguments(filter=condition, include_deleted=include_deleted)
            async for _ in scan_search.find(arguments.condition, ["scan_id"], max_time_ms=1000):
                pass
    operations = await profile()
    # An event is also looked up by the ids that it had in an imported database.
    assert len(operations) == 2 * (len(FILTERS) + 1)
    assert _whole(operations) == []


async def test_a_scan_is_found_by_its_id_or_the_beginning_of_it_without_a_look_at_others(
    profile: Profile,
) -> None:
    whole = await stored()
    conditions: list[Document] = [
        {"scan_id": whole},
        {"scan_id": {"$gte": whole[:20], "$lt": f"{whole[:20]}~"}},
        {"$or": [{"scan_id": whole}, {"$and": [{"scan_id": {"$in": [whole]}}]}]},
    ]
    for condition in conditions:
        for include_deleted in (True, False):
            arguments = FindArguments(filter=condition, include_deleted=include_deleted, limit=2)
            pages = scan_search.find(arguments.condition, ["scan_id"], max_time_ms=1000, limit=2)
            assert [found async for page in pages for found in page] == [{"scan_id": whole}]
    assert {one["docsExamined"] for one in await profile() if one["op"] == "query"} == {1}


async def test_the_profiler_would_tell(profile: Profile) -> None:
    async for _ in scan_search.find({"reason": "nobody knows"}, ["scan_id"], max_time_ms=1000):
        pass
    assert len(_whole(await profile())) == 1


async def test_what_the_steps_and_the_sweep_ask_is_answered_by_an_index(
    profile: Profile, jobs: Jobs, configure: Callable[..., None]
) -> None:
    configure(RESULTS_DAYS="1", EVENTS_DAYS="1")
    now = time.time()
    running = await stored(Phase.RUNNING, clusters=[cluster("mine", ClusterState.STOPPING)])
    await scan_outbox.waiting_outboxes(before=now, limit=10)
    await scan_overview.backlog()
    await scan_overview.backlog_page(skip=1, limit=10)
    await scan_overview.under_way(limit=10)
    await scan_overview.figures(since=now, skip=0, limit=10)
    await scan_overview.backlog_head(now=now, skip=["scan0001"])
    await scan_clusters.clusters_at(cluster()["at"])
    await scan_document.note_failed_try(running, Why(ReasonCode.DEAD_LETTER, ""))
    await report_manifest(running, attempt=1, report=report())
    await report_result(running, attempt=1, content=b"1", is_final=False)
    await report_result(running, attempt=1, content=b"2", is_final=True)
    await results.keep_only(running, None)
    await scan_clusters.lease_cluster(running, "mine", states=[ClusterState.STOPPING], seconds=1, guard={})
    await delete_scan(running, delete_completed=False, by=None)
    await handled_events.is_handled("a", "b")
    await i3_events.get("x")
    await scan_overview.last_need_of_event("x")
    # All duties; twice, since what the first has done is what the second sees.
    for _ in range(2):
        assert await sweeping.sweep() == {}

    operations = await profile()
    assert len(operations) > 30
    assert _whole(operations) == []
