"""When a schedd's history is asked, and what is remembered of it."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import TemporaryError
from skydriver.workers.htcondor import backend, job_summary
from skydriver.workers.htcondor.backend import HTCondorWorkers
from skydriver.workers.htcondor.job_summary import JobGroup

PLACE = {"collector": "glidein-cm.example.org", "schedd": "sub-2.example.org"}
Seen = dict[str, list[list[Any]]]


def kinds(status: int, n: int, pilot: str = "") -> list[list[Any]]:
    return job_summary.to_json(Counter({JobGroup(status, "", "", pilot, "", False): n}))


class MadeUp:
    """What `call` answers, and what it was asked."""

    def __init__(self) -> None:
        self.queue: Seen = {}
        self.past: Seen = {}
        self.history_answers = True
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def call(self, place: Any, secret: str | None, task: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((task, arguments))
        if task == "history" and not self.history_answers:
            raise TemporaryError("it takes too long")
        if task == "history":
            return {"seen": self.past}
        return {"seen": self.queue, "others": ["x"]}

    def tasks(self) -> list[str]:
        tasks = [task for task, _ in self.asked]
        self.asked.clear()
        return tasks


@pytest.fixture
def schedd(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    configure()
    made_up = MadeUp()
    monkeypatch.setattr(backend, "call", made_up.call)
    return made_up


def entry(uuid: str = "a", n_workers: int = 10) -> dict[str, Any]:
    return {"uuid": uuid, "cluster_id": 5, "n_workers": n_workers, "started_at": time.time()}


async def look(*entries: dict[str, Any]) -> list[dict[str, dict[str, int]]]:
    seen = (await HTCondorWorkers().observe(PLACE, {one["uuid"]: one for one in entries})).seen
    for one in entries:
        one["memory"] = seen[one["uuid"]].memory
    return [seen[one["uuid"]].statuses for one in entries]


async def test_clusters_that_were_not_asked_for_are_told(schedd: MadeUp) -> None:
    found = await HTCondorWorkers().observe(PLACE, {})
    assert found.seen == {}
    assert found.others == {"x"}
    assert schedd.tasks() == ["observe"]


async def test_while_all_jobs_are_queued_the_history_is_not_asked(schedd: MadeUp) -> None:
    schedd.queue = {"a": kinds(2, 10, "Tasking")}
    one = entry()
    assert await look(one) == [{"Running": {"Tasking": 10}}]
    assert schedd.tasks() == ["observe"]
    assert one["memory"] is None


async def test_what_has_left_is_asked_for_once_and_remembered(schedd: MadeUp) -> None:
    schedd.queue = {"a": kinds(2, 6, "Tasking")}
    schedd.past = {"a": kinds(4, 4, "Done")}
    one = entry()
    shown = [{"Running": {"Tasking": 6}, "Completed": {"Done": 4}}]
    assert await look(one) == shown
    assert schedd.tasks() == ["observe", "history"]
    schedd.past = {}
    assert await look(one) == shown
    assert schedd.tasks() == ["observe"]
    # One more has left: the history tells of all.
    schedd.queue, schedd.past = {"a": kinds(2, 5, "Tasking")}, {"a": kinds(4, 5, "Done")}
    assert await look(one) == [{"Running": {"Tasking": 5}, "Completed": {"Done": 5}}]
    assert schedd.tasks() == ["observe", "history"]


async def test_the_history_is_asked_for_all_clusters_that_need_it_at_once_and_bounded(schedd: MadeUp) -> None:
    schedd.queue = {"a": kinds(2, 6), "b": kinds(2, 10)}
    one, two, three = entry("a"), entry("b"), entry("c", n_workers=30_000)
    await look(one, two, three)
    (_, (_, arguments)) = schedd.asked
    assert arguments["clusters"] == {"a": 5, "c": 5}
    assert arguments["limit"] == backend.MAX_HISTORY
    assert arguments["since"] == pytest.approx(one["started_at"] - backend.CLOCK, abs=1)


async def test_a_history_that_does_not_know_is_not_asked_for_ever(schedd: MadeUp) -> None:
    schedd.queue = {"a": kinds(2, 6)}
    one = entry()
    for _ in range(10):
        await look(one)
    assert schedd.tasks().count("history") == backend.MAX_TRIES


async def test_figures_without_the_history_are_better_than_none(schedd: MadeUp) -> None:
    schedd.queue = {"a": kinds(2, 6)}
    schedd.history_answers = False
    one = entry()
    assert await look(one) == [{"Running": {"null": 6}}]
    schedd.history_answers = True
    schedd.past = {"a": kinds(4, 4)}
    assert await look(one) == [{"Running": {"null": 6}, "Completed": {"null": 4}}]


async def test_a_cluster_that_is_nowhere_has_disappeared(schedd: MadeUp) -> None:
    seen = (await HTCondorWorkers().observe(PLACE, {"a": entry()})).seen
    assert (seen["a"].alive, seen["a"].reason) == (0, "have disappeared")
