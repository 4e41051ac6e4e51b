"""The pixel queue over real sockets."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from skydriver.standin.pixel_server import PixelServer, Task
from skydriver.standin.pixels import PixelQueue
from skydriver.standin.recos import RecoId
from skydriver.standin.surface import Surface

ONE, TWO = RecoId(8, 1, 0), RecoId(8, 2, 0)
SURFACE = Surface(1.0, 0.5, 0.01, 0.01, 1000.0, 1e5, 0.0)
VERTEX = {"x": 1.0, "y": -2.0, "z": 3.0, "t": 9000.0}
OUTCOME = {"llh": 3.5, "e_in": 1.0, "e_tot": None, **VERTEX, "started": 10.0, "runtime": 2.0}


@pytest.fixture
def queue() -> PixelQueue:
    return PixelQueue(lease_seconds=1000)


@pytest.fixture
def server(queue: PixelQueue) -> Iterator[PixelServer]:
    with PixelServer(queue, Task("millipede_wilks", 1, SURFACE), "a scan", "127.0.0.1") as running:
        yield running


class Worker:
    """A connection to the server."""

    def __init__(self, server: PixelServer) -> None:
        self.connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)

    def ask(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body)
        self.connection.request(method, path, content)
        response = self.connection.getresponse()
        answer = response.read()
        return response.status, json.loads(answer) if answer else None

    def lease(self, wait: float = 0.0) -> tuple[int, Any]:
        return self.ask("POST", "/a%20scan/leases", {"wait": wait})


@pytest.fixture
def worker(server: PixelServer) -> Iterator[Worker]:
    running = Worker(server)
    yield running
    running.connection.close()


def test_a_lease_holds_all_that_a_worker_needs(queue: PixelQueue, worker: Worker) -> None:
    queue.put([ONE])
    status, message = worker.lease()
    assert status == 201
    assert message.pop("dec") > 1.4
    assert message == {
        "lease": 1,
        "nside": 8,
        "ipix": 1,
        "variation": 0,
        "ra": pytest.approx(2.356, abs=0.001),
        "reco_algo": "millipede_wilks",
        "variations": 1,
        "surface": SURFACE.to_json(),
    }


def test_outcomes_are_given_back(queue: PixelQueue, worker: Worker) -> None:
    queue.put([ONE])
    worker.lease()
    assert worker.ask("PUT", "/a%20scan/leases/1", OUTCOME) == (204, None)
    reco = queue.collect(timeout=60)
    assert reco is not None
    assert (reco.id, reco.fit, reco.started, reco.runtime) == (
        ONE,
        (3.5, 1.0, None, 1.0, -2.0, 3.0, 9000.0),
        10.0,
        2.0,
    )


def test_nothing_to_do_and_nothing_more_to_do(queue: PixelQueue, worker: Worker) -> None:
    assert worker.lease() == (204, None)
    queue.close()
    assert worker.lease(wait=30) == (410, None)


def test_what_is_given_up_goes_to_another_worker(
    queue: PixelQueue, worker: Worker, server: PixelServer
) -> None:
    queue.put([ONE, TWO])
    worker.lease()
    assert worker.ask("DELETE", "/a%20scan/leases/1", {"reason": "it failed"}) == (204, None)
    other = Worker(server)
    assert other.lease()[1]["ipix"] == 1
    other.connection.close()


def test_a_lease_ends_with_its_connection(queue: PixelQueue, worker: Worker, server: PixelServer) -> None:
    queue.put([ONE])
    worker.lease()
    worker.connection.close()
    other = Worker(server)
    assert other.lease(wait=30)[1]["ipix"] == 1
    other.connection.close()


def test_the_server_waits_for_workers_to_leave(
    queue: PixelQueue, worker: Worker, server: PixelServer
) -> None:
    worker.lease()
    worker.connection.close()
    assert server.wait_until_workers_left(timeout=30)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/another/leases", {"wait": 0}, 404),
        ("POST", "/a%20scan/leases", {}, 400),
        ("POST", "/a%20scan/leases", [], 400),
        ("POST", "/a%20scan/leases", b"{", 400),
        ("POST", "/a%20scan/leases", {"wait": "long"}, 400),
        ("PUT", "/a%20scan/leases/9", OUTCOME, 404),
        ("PUT", "/a%20scan/leases/x", OUTCOME, 404),
        ("PUT", "/another/leases/1", OUTCOME, 404),
        ("PUT", "/a%20scan/leases/1", {}, 400),
        ("PUT", "/a%20scan/leases/1", {**OUTCOME, "llh": None}, 400),
        ("PUT", "/a%20scan/leases/1", {**OUTCOME, "z": None}, 400),
        (
            "PUT",
            "/a%20scan/leases/1",
            b'{"llh": NaN, "e_in": 1, "e_tot": 1, "runtime": 1, "started": 1}',
            400,
        ),
        ("DELETE", "/a%20scan/leases/9", {"reason": "x"}, 404),
        ("DELETE", "/a%20scan/leases/1", {}, 400),
        ("GET", "/a%20scan/leases", {}, 501),
    ],
)
def test_wrong_requests(
    queue: PixelQueue, worker: Worker, method: str, path: str, body: Any, status: int
) -> None:
    queue.put([ONE])
    worker.lease()
    worker.connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body))
    response = worker.connection.getresponse()
    response.read()
    assert response.status == status
    assert queue.collect(timeout=0.01) is None
