"""The client of the local job host, against a server of the test that stands for it."""

from collections.abc import Callable

import pytest

from skydriver.errors import PermanentError, TemporaryError
from skydriver.runtime import local_jobs
from tests.support.loopback import Answer, Loopback


@pytest.fixture(autouse=True)
def _jobs(configure: Callable[..., None], loopback: Loopback) -> None:
    configure(LOCAL_JOBS_URL=loopback.url)


async def create() -> None:
    await local_jobs.create(
        "a-job", labels={"k": "v"}, containers=[{"name": "c", "command": ["x"], "env": {}}]
    )


async def test_a_job_is_put_under_its_name(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/a-job", Answer(201))
    await create()
    (asked,) = loopback.asked
    assert asked.json == {
        "labels": {"k": "v"},
        "containers": [{"name": "c", "command": ["x"], "env": {}}],
        "count": 1,
        "inputs": [],
        "deadline_seconds": None,
    }


async def test_a_job_that_is_there_already_is_no_error(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/a-job", Answer(200))
    await create()
    assert [(asked.method, asked.path) for asked in loopback.asked] == [("PUT", "/jobs/a-job")]


async def test_jobs_are_found_by_a_label(loopback: Loopback) -> None:
    loopback.on("GET", "/jobs", Answer(200, {"jobs": {"a-job": {"name": "a-job"}}}))
    assert await local_jobs.find("skydriver/kind", "workers") == {"a-job": {"name": "a-job"}}
    assert loopback.asked[0].query == {"label": "skydriver/kind=workers"}


async def test_a_job_is_deleted(loopback: Loopback) -> None:
    loopback.on("DELETE", "/jobs/a-job", Answer(204))
    await local_jobs.delete("a-job")
    assert [(asked.method, asked.path) for asked in loopback.asked] == [("DELETE", "/jobs/a-job")]


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_job_host_in_trouble_may_get_better(loopback: Loopback, status: int) -> None:
    loopback.on("PUT", "/jobs/a-job", Answer(status))
    with pytest.raises(TemporaryError, match=str(status)):
        await create()


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_job_that_is_refused_will_not_get_better(loopback: Loopback, status: int) -> None:
    loopback.on("PUT", "/jobs/a-job", Answer(status, "there is no such program"))
    with pytest.raises(PermanentError, match="there is no such program"):
        await create()


async def test_a_job_host_that_is_not_there_may_come_back(configure: Callable[..., None]) -> None:
    configure(LOCAL_JOBS_URL="http://127.0.0.1:1")
    with pytest.raises(TemporaryError, match="does not answer: ConnectionRefusedError"):
        await local_jobs.find("k", "v")


async def test_without_a_local_runtime(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_JOBS_URL")
    configure()
    with pytest.raises(PermanentError, match="LOCAL_JOBS_URL"):
        await local_jobs.find("k", "v")
