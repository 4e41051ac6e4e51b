"""The pixel queue over HTTP and plain JSON. Where the real scanner has a message broker, this is all.

    POST   /QUEUE/leases          {"wait": seconds}   201 a lease, 204 nothing yet, 410 the scan is over
    PUT    /QUEUE/leases/NUMBER   an outcome          204
    DELETE /QUEUE/leases/NUMBER   {"reason": text}    204: another worker shall do it

QUEUE is the scan's queue name, so that a worker whose server is gone does not serve another scan
that was given the same port. A lease belongs to the connection on which it was taken.
"""

import json
import logging
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Any
from urllib.parse import quote

from skydriver.standin import pixelation
from skydriver.standin.pixels import Lease, PixelQueue, QueueClosed, UnknownLease
from skydriver.standin.recos import Fit, Reco, RecoId, finite
from skydriver.standin.surface import Surface

logger = logging.getLogger(__name__)

MAX_WAIT = 30.0
"""Seconds that a request for work is held at most."""
MAX_BODY = 64 * 1024


class Task:
    """What a worker must know besides the pixel."""

    def __init__(self, algorithm: str, variations: int, surface: Surface) -> None:
        """Note what is the same for all reconstructions."""
        self._common = {"reco_algo": algorithm, "variations": variations, "surface": surface.to_json()}

    def message(self, lease: Lease) -> dict[str, Any]:
        """The message that hands out a reconstruction; the pixel's direction in rad."""
        direction = pixelation.pix2ang(*lease.reco.pixel)
        return {
            "lease": lease.number,
            **lease.reco._asdict(),
            "ra": direction.ra,
            "dec": direction.dec,
            **self._common,
        }


class PixelServer:
    """Serves a queue in threads of its own, a connection each, between `__enter__` and `__exit__`."""

    def __init__(self, queue: PixelQueue, task: Task, name: str, host: str) -> None:
        """Bind a free port of ``host``; ``name`` is the queue's."""
        self._connections = 0
        self._connections_changed = Condition()
        path = f"/{quote(name, safe='')}/leases"

        class Handler(_Handler):
            pixels = queue
            work = task
            leases = path
            count = self._count

        self._http = _HTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self._http.server_port}"
        """Where workers find it, without the queue's name."""

    def __enter__(self) -> "PixelServer":
        Thread(target=self._http.serve_forever, args=(0.1,), name="pixel-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def wait_until_workers_left(self, timeout: float) -> bool:
        """After the queue was closed: wait for all workers to leave, for some seconds; whether they did."""
        with self._connections_changed:
            return self._connections_changed.wait_for(lambda: self._connections == 0, timeout)

    def _count(self, change: int) -> None:
        with self._connections_changed:
            self._connections += change
            self._connections_changed.notify_all()


class _HTTPServer(ThreadingHTTPServer):
    request_queue_size = 128  # many workers come at once


class _Handler(BaseHTTPRequestHandler):
    """One connection, that is one worker."""

    pixels: PixelQueue
    work: Task
    leases: str
    count: Callable[[int], None]

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet

    def handle(self) -> None:
        self.count(+1)
        try:
            super().handle()
        except ConnectionError:
            pass  # the worker is gone: what follows is all there is to do
        finally:
            self.pixels.give_up_all(self)
            self.count(-1)

    def do_POST(self) -> None:
        if self.path != self.leases:
            return self._answer(404)
        try:
            wait = float(self._body()["wait"])
            lease = self.pixels.lease(self, min(max(wait, 0.0), MAX_WAIT))
        except QueueClosed:
            return self._answer(410)
        except (ValueError, TypeError, KeyError) as error:
            return self._refuse(error)
        return self._answer(204) if lease is None else self._answer(201, self.work.message(lease))

    def do_PUT(self) -> None:
        try:
            body = self._body()
            self.pixels.give_back(self._lease_number(), lambda reco: _reco(reco, body))
        except UnknownLease:
            return self._answer(404)
        except (ValueError, TypeError, KeyError) as error:
            return self._refuse(error)
        return self._answer(204)

    def do_DELETE(self) -> None:
        try:
            self.pixels.give_up(self._lease_number(), str(self._body()["reason"]))
        except UnknownLease:
            return self._answer(404)
        except (ValueError, TypeError, KeyError) as error:
            return self._refuse(error)
        return self._answer(204)

    def _lease_number(self) -> int:
        leases, _, number = self.path.rpartition("/")
        if leases != self.leases or not number.isdecimal():
            raise UnknownLease(self.path)
        return int(number)

    def _body(self) -> Any:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MAX_BODY:
            self.close_connection = True
            raise ValueError("the body is too long")
        return json.loads(self.rfile.read(length))

    def _refuse(self, error: Exception) -> None:
        self._answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _answer(self, status: int, body: dict[str, Any] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response_only(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def _reco(reco: RecoId, body: Any) -> Reco:
    """The outcome that a worker reports, checked.

    Raises:
        ValueError, TypeError, KeyError: if something is missing or no finite number.
    """
    fit = Fit(
        finite(body["llh"]),
        None if body["e_in"] is None else finite(body["e_in"]),
        None if body["e_tot"] is None else finite(body["e_tot"]),
        finite(body["x"]),
        finite(body["y"]),
        finite(body["z"]),
        finite(body["t"]),
    )
    return Reco(reco, fit, finite(body.get("started", time.time())), finite(body["runtime"]))
