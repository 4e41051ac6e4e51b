"""Whatever is said of a scan, in any order, of any attempt, and two things at once: a simple model agrees.

The model says in its own words what DESIGN.md says of a scan's document; hypothesis makes up the stories.
They are the same ones each time; with EXAMPLES=1000 in the environment they are so many new ones.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from skydriver.errors import NotTaken
from skydriver.eventing.events import outbox_entry
from skydriver.lifecycle.scanner.reports import report_manifest, report_result
from skydriver.lifecycle.tear_down import end_scan_if_all_gone
from skydriver.model.phases import ClusterState, Phase, scan_state
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.transitions import Fact
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import rate_limit, results
from skydriver.store.mongo import collection
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.store.scans import reports as scan_reports
from tests.support.documents import Document, cluster, read, report, result, stored

EXAMPLES = os.environ.get("EXAMPLES")
STEPS = 70
EPILOGUE = 5

BEFORE_THE_END = ("QUEUED", "LAUNCHING", "STARTING", "RUNNING")
WITH_A_SERVER = ("LAUNCHING", "STARTING", "RUNNING")
STEPS_OF_A_LIFE = {
    *[("QUEUED", "LAUNCHING"), ("LAUNCHING", "QUEUED"), ("LAUNCHING", "STARTING"), ("LAUNCHING", "RUNNING")],
    ("STARTING", "RUNNING"),
    *[(phase, "LAUNCHING") for phase in WITH_A_SERVER],
    *[(phase, "STOPPING") for phase in BEFORE_THE_END],
    ("STOPPING", "ENDED"),
}
WORKS = {"requested", "started"}


@dataclass
class Model:
    """A scan as a user understands it."""

    phase: str = "QUEUED"
    attempt: int = 0
    outcome: str | None = None
    history: list[str] = field(default_factory=lambda: ["QUEUED"])
    report: tuple[int, bool, str] | None = None
    result: tuple[int, bool, str] | None = None
    clusters: dict[str, str] = field(default_factory=dict)
    outbox: dict[str, str] = field(default_factory=dict)
    gone: bool = True
    leased: bool = False

    @property
    def has_final_result(self) -> bool:
        return self.result is not None and self.result[1]

    @property
    def has_both_last_words(self) -> bool:
        return (
            self.has_final_result
            and self.report is not None
            and self.report[1]
            and self.result is not None
            and self.result[0] == self.report[0]
        )

    def enter(self, phase: str, outcome: str | None = None) -> None:
        self.phase = phase
        self.history.append(phase)
        if outcome:
            self.outcome = outcome

    def want_no_workers(self) -> None:
        for uuid, state in self.clusters.items():
            if state != "stopped":
                self.clusters[uuid] = "stopping"


@dataclass(frozen=True)
class Said:
    """Something that is said of a scan, by a function that has looked at it before.

    Attributes:
        what: a fact, or another change.
        attempt: the attempt that it speaks of.
        second: the second at which a scanner says it.
        flag: finished, final, or gone.
        number: tells it from anything else that is said.
        uuid: the cluster that it speaks of.
        slot: the event that it speaks of ...
        event_id: ... and its id.
    """

    what: str
    attempt: int
    second: int
    flag: bool
    number: int
    uuid: str
    slot: str | None
    event_id: str | None


_numbers = count()

ANYTHING = (
    *("admitted", "launched", "ready", "refused", "relaunched", "finished", "aborted", "failed", "ended"),
    *("progress", "result", "request workers", "start workers", "workers gone"),
    *("lease", "release", "published"),
)
# What fits is said more often than what does not, so that stories get somewhere.
FITTING = {
    "QUEUED": ("admitted",),
    "LAUNCHING": ("lease", "launched", "launched", "launched", "ready", "refused", "progress", "result"),
    "STARTING": ("ready", "ready", "progress", "result", "relaunched"),
    "RUNNING": (
        *("request workers", "request workers", "start workers", "start workers", "workers gone"),
        *("progress", "result", "relaunched", "finished", "published"),
    ),
    "STOPPING": ("lease", "release", "release", "workers gone", "published", "ended", "ended"),
    "ENDED": ANYTHING,
}


@dataclass(frozen=True)
class Draw:
    """What hypothesis draws: it must not know how far the scan is, or stories could not be told again."""

    fits: bool
    which: int
    off: int
    second: int
    flag: bool

    def said_of(self, model: Model, whats: tuple[str, ...] | None = None) -> Said:
        """Say something of a scan as it is now."""
        whats = whats or (FITTING[model.phase] if self.fits else ANYTHING)
        what, attempt = whats[self.which % len(whats)], model.attempt + self.off
        uuid = f"{attempt}-{self.second % 2}"
        if what == "workers gone":
            uuid = _pick(model.clusters, self.second) or uuid
        slot = _pick(model.outbox, self.second)
        event_id = slot and model.outbox[slot]
        return Said(what, attempt, self.second, self.flag, next(_numbers), uuid, slot, event_id)


def _pick(these: dict[str, str], which: int) -> str | None:
    return sorted(these)[which % len(these)] if these else None


DRAWS = st.builds(
    Draw,
    fits=st.booleans(),
    which=st.integers(0, 10_000),
    off=st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1]),
    second=st.integers(0, 3),
    flag=st.booleans(),
)


def follow(model: Model, it: Said, scan_id: str) -> None:
    """Do to the model what `it` should do to the scan."""
    attempt, uuid = it.attempt, it.uuid
    own, now = attempt == model.attempt, model.phase
    taken = False
    match it.what:
        case "admitted" if now == "QUEUED":
            model.enter("LAUNCHING")
            model.attempt = max(1, model.attempt)
            taken = True
        case "launched" if now == "LAUNCHING" and own:
            model.enter("STARTING")
            taken = True
        case "ready" if now in ("LAUNCHING", "STARTING") and own:
            model.enter("RUNNING")
            taken = True
        case "refused" if now == "LAUNCHING" and own:
            model.enter("QUEUED")
            taken = True
        case "relaunched" if now in WITH_A_SERVER and own and not model.has_final_result:
            model.enter("LAUNCHING")
            model.attempt += 1
            model.want_no_workers()
            taken = True
        case "finished" if now in WITH_A_SERVER and own and model.has_final_result:
            model.enter("STOPPING", "finished")
            model.want_no_workers()
            taken = True
        case "aborted" if now in BEFORE_THE_END:
            model.enter("STOPPING", "aborted")
            model.want_no_workers()
            taken = True
        case "failed" if now in BEFORE_THE_END and own and not model.has_final_result:
            model.enter("STOPPING", "failed")
            model.want_no_workers()
            taken = True
        case "ended" if now == "STOPPING" and model.gone and not model.leased:
            if all(state == "stopped" for state in model.clusters.values()):
                model.enter("ENDED")
                model.outbox["scan_ended"] = f"{scan_id}/scan.ended/0"
        case "progress" if now in WITH_A_SERVER and own:
            before = model.report
            if (
                before is None
                or before[0] < attempt
                or it.flag
                or (not before[1] and before[2] <= str(it.second))
            ):
                model.report = (attempt, it.flag, str(it.second))
                taken = True
        case "result" if now in WITH_A_SERVER and own and not model.has_final_result:
            model.result = (attempt, it.flag, str(it.number))
            taken = True
        case "request workers" if now == "RUNNING" and own:
            if uuid not in model.clusters:
                model.clusters[uuid] = "requested"
                model.outbox[f"workers_requested:{uuid}"] = f"{scan_id}/workers.requested/{it.number}"
        case "start workers" if now == "RUNNING" and own:
            if model.clusters.get(uuid) == "requested":
                model.clusters[uuid] = "started"
        case "workers gone":
            if model.clusters.get(uuid) == "stopping":
                model.clusters[uuid] = "stopped"
        case "lease" if now == ("STOPPING" if it.flag else "LAUNCHING") and own and not model.leased:
            model.leased, model.gone = True, False
        case "release" if own:
            model.leased, model.gone = False, it.flag
        case "published":
            if it.slot and model.outbox.get(it.slot) == it.event_id:
                del model.outbox[it.slot]
    if taken:
        fact = FACTS[it.what]
        model.outbox[fact.replace(".", "_")] = f"{scan_id}/{fact}/{it.number}"


FACTS = {
    "admitted": Fact.ADMITTED,
    "launched": Fact.LAUNCHED,
    "ready": Fact.READY,
    "refused": Fact.REFUSED,
    "relaunched": Fact.RELAUNCHED,
    "finished": Fact.FINISHED,
    "aborted": Fact.ABORTED,
    "failed": Fact.FAILED,
    "progress": Fact.PROGRESS_REPORTED,
    "result": Fact.RESULT_REPORTED,
}
NOT_FINAL = {"result.is_final": {"$ne": True}}
GUARDS: dict[str, Document] = {
    "relaunched": NOT_FINAL,
    "failed": NOT_FINAL,
    "finished": {"result.is_final": True},
}


async def tell(scan_id: str, it: Said) -> None:
    """Say it of the real scan, as the steps do: each time by one update."""
    attempt, uuid = it.attempt, it.uuid
    outbox: dict[str, Document] = {}
    if fact := FACTS.get(it.what):
        outbox = outbox_entry(fact, subject=scan_id, cause=str(it.number))
    match it.what:
        case "ended":
            await end_scan_if_all_gone(scan_id)
        case "progress":
            await scan_reports.report_progress(
                scan_id,
                attempt=attempt,
                order=str(it.second),
                finished=it.flag,
                fields={"progress": {"processing_stats": {}}},
                metadata={},
                outbox=outbox,
            )
        case "result":
            pointer = result(is_final=it.flag, attempt=attempt, version=str(it.number))
            pointer["came_at"] = time.time()
            await scan_reports.point_to_result(scan_id, attempt=attempt, pointer=pointer, outbox=outbox)
        case "request workers":
            asked = outbox_entry(
                Fact.WORKERS_REQUESTED,
                subject=scan_id,
                cause=str(it.number),
                data={"uuid": uuid},
            )
            entries = [cluster(uuid, ClusterState.REQUESTED, attempt=attempt)]
            await scan_clusters.add_clusters(scan_id, attempt=attempt, entries=entries, outbox=asked)
        case "start workers":
            await scan_clusters.update_cluster(
                scan_id,
                uuid,
                {"state": ClusterState.STARTED, "cluster_id": uuid},
                states=[ClusterState.REQUESTED],
                guard={"phase": Phase.RUNNING, "attempt": attempt},
            )
        case "workers gone":
            gone = {"state": ClusterState.STOPPED}
            await scan_clusters.update_cluster(scan_id, uuid, gone, states=[ClusterState.STOPPING])
        case "lease":
            phase = Phase.STOPPING if it.flag else Phase.LAUNCHING
            await scan_document.lease_scanner(scan_id, phase=phase, attempt=attempt, seconds=3600)
        case "release":
            await scan_document.release_scanner(scan_id, attempt=attempt, gone=it.flag)
        case "published":
            if it.slot and it.event_id:
                await scan_outbox.mark_published(scan_id, it.slot, it.event_id)
        case _:
            await scan_document.advance(
                scan_id,
                FACTS[it.what],
                attempt=None if it.what in ("admitted", "aborted") else attempt,
                why=Why(ReasonCode.SCANNER_DIED, it.what),
                outbox=outbox,
                guard=GUARDS.get(it.what),
            )


async def look(scan_id: str) -> tuple[Model, Document]:
    """Read the real scan, and see it as the model does."""
    scan = await read(scan_id)
    said, pointer = scan["report"], scan["result"]
    return Model(
        phase=scan["phase"],
        attempt=scan["attempt"],
        outcome=scan["outcome"],
        history=[line["phase"] for line in scan["history"]],
        report=said and (said["attempt"], said["finished"], said["order"]),
        result=pointer and (pointer["attempt"], pointer["is_final"], pointer["version"]),
        clusters={one["uuid"]: one["state"] for one in scan["ewms_task"]["clusters"]},
        outbox={slot: event["id"] for slot, event in scan["outbox"].items()},
        gone=scan["scanner"]["gone"],
        leased=scan["scanner"]["leased_until"] > 0,
    ), scan


Outcome = TypeVar("Outcome")


class Scan(RuleBasedStateMachine):
    """Stories of a scan, and of the next one where one has ended."""

    runner: ClassVar[asyncio.Runner]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.scan_id = ""
        self.outcome: str | None = None
        self.epilogue = 0

    def run(self, what: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Run something in the event loop that the database's client belongs to."""
        return self.runner.run(what)

    def report(self, what: Coroutine[Any, Any, Any]) -> None:
        """Report something, which the scan need not take."""
        with suppress(NotTaken):
            self.run(what)

    @initialize()
    def a_scan_is_asked_for(self) -> None:
        self.model, self.outcome, self.epilogue = Model(), None, 0
        self.scan_id = self.run(stored())

    def go_on(self) -> None:
        """Begin with the next scan when enough was said of one that has ended."""
        self.epilogue += self.model.phase == "ENDED"
        if self.epilogue > EPILOGUE:
            self.a_scan_is_asked_for()

    @rule(draw=DRAWS)
    def something_is_said(self, draw: Draw) -> None:
        self.go_on()
        it = draw.said_of(self.model)
        self.run(tell(self.scan_id, it))
        follow(self.model, it, self.scan_id)

    @rule(draw=DRAWS, another=DRAWS)
    def two_things_are_said_at_once(self, draw: Draw, another: Draw) -> None:
        """What comes of it is what would come of the one after the other, either way round."""
        self.go_on()
        one, other = draw.said_of(self.model), another.said_of(self.model)

        async def both() -> Model:
            await asyncio.gather(tell(self.scan_id, one), tell(self.scan_id, other))
            return (await look(self.scan_id))[0]

        seen = self.run(both())
        possible = []
        for order in ((one, other), (other, one)):
            model = deepcopy(self.model)
            for it in order:
                follow(model, it, self.scan_id)
            possible.append(model)
        assert seen in possible
        self.model = seen

    @rule(draw=DRAWS)
    def a_scanner_reports(self, draw: Draw) -> None:
        """Through the same calls as over HTTP: the second of the two last words finishes the scan."""
        self.go_on()
        it = draw.said_of(self.model, ("progress", "result"))
        attempt = it.attempt
        if it.what == "progress":
            said = report(str(it.second), finished=it.flag)
            self.report(report_manifest(self.scan_id, attempt=attempt, report=said))
        else:
            self.report(report_result(self.scan_id, attempt=attempt, content=b"1", is_final=it.flag))
        seen, _ = self.run(look(self.scan_id))
        before = deepcopy(self.model)
        follow(self.model, it, self.scan_id)
        # A stale report changes nothing at all; a result that was there already is one of the two last words.
        taken = self.model.outbox != before.outbox
        heard = taken or (it.what == "result" and attempt == before.attempt and before.phase in WITH_A_SERVER)
        if heard and self.model.has_both_last_words:
            self.model.enter("STOPPING", "finished")
            self.model.want_no_workers()
            self.model.outbox["scan_finished"] = f"{self.scan_id}/scan.finished/0"
        # The service chose the result's version and the event's id.
        if self.model.result != before.result and seen.result is not None and self.model.result is not None:
            assert seen.result[:2] == self.model.result[:2]
            self.model.result = seen.result
        for slot in ("scan_progress_reported", "scan_result_reported"):
            if self.model.outbox.get(slot) != before.outbox.get(slot):
                self.model.outbox[slot] = seen.outbox[slot]

    @invariant()
    def the_scan_is_as_the_model_says(self) -> None:
        if not self.scan_id:
            return
        seen, scan = self.run(look(self.scan_id))
        assert seen == self.model
        assert all(step in STEPS_OF_A_LIFE for step in pairwise(seen.history))
        assert (seen.outcome is None) == (seen.phase in BEFORE_THE_END)
        assert self.outcome in (None, seen.outcome)
        self.outcome = seen.outcome
        assert scan["ewms_task"]["complete"] == (seen.phase in ("STOPPING", "ENDED"))
        assert (scan_state(scan) == "SCAN_FINISHED_SUCCESSFULLY") == (seen.outcome == "finished")
        assert ("outbox_since" in scan) == bool(seen.outbox)
        if seen.phase in ("STOPPING", "ENDED"):
            assert not WORKS.intersection(seen.clusters.values())
        if seen.phase == "ENDED":
            assert set(seen.clusters.values()) <= {"stopped"}

    def teardown(self) -> None:
        self.run(_forget())


async def _forget() -> None:
    for name in (scan_document.NAME, results.NAME, rate_limit.NAME):
        await collection(name).delete_many({})


@pytest.fixture
def machine(configure: Callable[..., None], mongodb_uri: str, database_name: str) -> Iterator[type[Scan]]:
    configure(MONGODB_URI=mongodb_uri, MONGODB_DATABASE=database_name)
    with asyncio.Runner() as runner:
        Scan.runner = runner
        runner.run(scan_document.ensure_indexes())
        yield Scan
        runner.run(_forget())
        runner.run(PerLoop.close_all())


def test_every_story_goes_as_the_model_says(machine: type[Scan]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(EXAMPLES or 35),
            stateful_step_count=STEPS,
            derandomize=EXAMPLES is None,
            # A failure is told as it was found: to find a shorter story takes minutes.
            phases=[HypothesisPhase.generate] if EXAMPLES is None else list(HypothesisPhase),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
