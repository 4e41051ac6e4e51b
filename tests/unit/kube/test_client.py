"""The client's manners: what it makes of an API server's answers. The server is played here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse

from skydriver.errors import Full, NotAllowed, PermanentError, TemporaryError
from skydriver.kube.client import Kubernetes, in_cluster, with_token
from skydriver.local.http_server import listen, serve, url

JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}
GONE = (404, {"kind": "Status", "reason": "NotFound"})
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


class Api:
    """Answers what it is told to, after as long as it is told to."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.delay = 0.0
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.asked.append((request.method, str(request.url.path)))
        self.query = dict(request.query_params)
        await asyncio.sleep(self.delay)
        status, content = self.answers.pop(0)
        await JSONResponse(content, status)(scope, receive, send)


@pytest_asyncio.fixture
async def pair(configure: Callable[..., None]) -> AsyncIterator[tuple[Api, Kubernetes]]:
    from kubernetes.client.configuration import Configuration

    configure()
    api, listener = Api(), listen(None)

    def connect() -> Any:
        configuration: Any = Configuration(host=url(listener))
        configuration.retries = 0
        return configuration

    async with serve(api, listener):
        yield api, Kubernetes(connect, "ns")


def pod(removal: str | None) -> dict[str, Any]:
    return {"metadata": {"name": "p"} | ({"deletionTimestamp": removal} if removal else {})}


def pods(*items: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"items": list(items), "metadata": {}}


def status(reason: str, message: str = "") -> dict[str, str]:
    return {"kind": "Status", "reason": reason, "message": message}


async def test_what_is_there_already_is_no_error(pair: tuple[Api, Kubernetes]) -> None:
    api, cluster = pair
    api.answers = [(409, status("AlreadyExists"))]
    assert await cluster.create(JOB) is None
    assert api.asked == [("POST", "/apis/batch/v1/namespaces/ns/jobs")]
    assert api.query == {"fieldValidation": "Strict"}


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (403, 'jobs.batch "j" is forbidden: exceeded quota: job-quota, used: count/jobs.batch=5', Full),
        (403, "User cannot create resource", NotAllowed),
        (404, 'namespaces "ns" not found', TemporaryError),
        (409, "conflict", TemporaryError),
        (422, "spec.parallelism: must be positive", PermanentError),
        (400, 'unknown field "spec.x"', PermanentError),
        (429, "too many requests", TemporaryError),
        (500, "etcdserver: leader changed", TemporaryError),
    ],
)
async def test_refusals_by_what_is_to_be_done(
    pair: tuple[Api, Kubernetes], code: int, message: str, kind: type[Exception]
) -> None:
    api, cluster = pair
    api.answers = [(code, status("Whatever", message))]
    with pytest.raises(kind) as caught:
        await cluster.create(JOB)
    assert type(caught.value) is kind
    assert message in str(caught.value)


async def test_what_is_said_of_a_secret_is_not_passed_on(pair: tuple[Api, Kubernetes]) -> None:
    api, cluster = pair
    api.answers = [(422, status("Invalid", "data[token]: Invalid value: hunter2"))]
    with pytest.raises(PermanentError) as caught:
        await cluster.create(SECRET)
    assert "hunter2" not in str(caught.value)


async def test_an_api_server_that_hangs_is_not_waited_for(
    pair: tuple[Api, Kubernetes], configure: Callable[..., None]
) -> None:
    configure(CALL_TIMEOUT="0.5")
    api, cluster = pair
    api.answers, api.delay = [(200, {})], 1.5
    with pytest.raises(TemporaryError, match="Kubernetes does not answer"):
        await cluster.get("Job", "j")
    assert len(api.asked) == 1, "the caller decides on another try"


async def test_long_lists_come_in_pages(pair: tuple[Api, Kubernetes]) -> None:
    api, cluster = pair
    api.answers = [
        (200, {"items": [{"n": 1}], "metadata": {"continue": "more"}}),
        (200, {"items": [{"n": 2}], "metadata": {}}),
    ]
    found = await cluster.find("Pod", {"a": "b", "c": "d"}, without={"status.phase": "Running"})
    assert found == [{"n": 1}, {"n": 2}]
    assert api.query["labelSelector"] == "a=b,c=d"
    assert api.query["fieldSelector"] == "status.phase!=Running"
    assert api.query["continue"] == "more"


async def test_a_job_is_gone_once_it_and_its_pods_are(
    pair: tuple[Api, Kubernetes], configure: Callable[..., None]
) -> None:
    api, cluster = pair
    api.answers = [GONE, GONE, pods(), GONE, pods()]
    await cluster.remove_job("j", secret="s")
    configure(CALL_TIMEOUT="2")
    api.answers = [(200, {}), GONE, pods(), *[(200, JOB)] * 100]
    with pytest.raises(TemporaryError, match="still being removed"):
        await cluster.remove_job("j", secret="s")


async def test_the_removal_of_a_job_can_be_asked_for_without_waiting(pair: tuple[Api, Kubernetes]) -> None:
    api, cluster = pair
    api.answers = [(200, JOB), GONE]
    await cluster.delete_job("j", secret="s")
    assert [method for method, _ in api.asked] == ["DELETE", "DELETE"]


async def test_a_job_whose_pods_are_on_lost_nodes_counts_as_gone(
    pair: tuple[Api, Kubernetes], configure: Callable[..., None]
) -> None:
    """The node of a pod whose removal is long overdue may never say that it has ended."""
    api, cluster = pair
    lost, leaving = pod("2026-01-01T00:00:00Z"), pod("2100-01-01T00:00:00Z")
    api.answers = [(200, {}), pods(lost, lost)]
    await cluster.remove_job("j")
    assert api.asked[0] == ("DELETE", "/apis/batch/v1/namespaces/ns/jobs/j")
    configure(CALL_TIMEOUT="2")
    for others in (leaving, pod(None)):
        api.answers = [(200, {}), pods(lost, others), *[(200, JOB)] * 100]
        with pytest.raises(TemporaryError, match="still being removed"):
            await cluster.remove_job("j")


def test_outside_of_a_cluster_there_is_no_way_in(configure: Callable[..., None]) -> None:
    with pytest.raises(TemporaryError, match="there is no way into Kubernetes from here"):
        in_cluster()


def test_a_remote_token_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match=r"has no ca\.crt"):
        with_token("https://k8s.example.org", tmp_path)
    (tmp_path / "ca.crt").write_text("")
    with pytest.raises(TemporaryError, match="has no readable token"):
        with_token("https://k8s.example.org", tmp_path)
    (tmp_path / "token").write_text("one\n")
    configuration = with_token("https://k8s.example.org", tmp_path)
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer one"
    (tmp_path / "token").write_text("two\n")
    assert configuration.get_api_key_with_prefix("BearerToken") == "Bearer two"


async def test_a_token_that_is_lost_later_is_an_outage(
    configure: Callable[..., None], tmp_path: Path
) -> None:
    configure()
    for name in ("token", "ca.crt"):
        (tmp_path / name).write_text("")

    def connect() -> Any:
        return with_token("https://127.0.0.1:1", tmp_path)

    cluster = Kubernetes(connect, "ns")
    with pytest.raises(TemporaryError, match="Kubernetes does not answer"):
        await cluster.get("Job", "j")
    (tmp_path / "token").unlink()
    with pytest.raises(TemporaryError, match=f"the secret '{tmp_path.name}' .* has no readable token"):
        await cluster.get("Job", "j")


async def test_a_token_of_the_own_cluster_that_is_lost_later_is_an_outage(
    configure: Callable[..., None],
) -> None:
    configure()
    from kubernetes.client.configuration import Configuration

    def refresh(configuration: Any) -> None:
        raise FileNotFoundError("/var/run/secrets/kubernetes.io/serviceaccount/token")

    def connect() -> Any:
        configuration: Any = Configuration(host="http://127.0.0.1:1")
        configuration.api_key["BearerToken"] = "former"
        configuration.refresh_api_key_hook = refresh
        return configuration

    with pytest.raises(TemporaryError, match="FileNotFoundError"):
        await Kubernetes(connect, "ns").get("Job", "j")
