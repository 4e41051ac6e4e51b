"""The hosting of a service, with a stand-in for it: what counts here is who is stopped, and when."""

import asyncio
import os
import signal
from typing import Any, Self, cast

import pytest

from skydriver.cli.errors import CommandError, Interrupted
from skydriver.cli.hosting import Stopping, _host
from skydriver.local.errors import LocalError


class Service:
    url = "http://127.0.0.1:1"

    def __init__(self, while_starting: Any = None, while_stopping: Any = None) -> None:
        self.events: list[str] = []
        self._while_starting = while_starting
        self._while_stopping = while_stopping
        self.loss = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.events.append("starting")
        if self._while_starting:
            self._while_starting()
            await asyncio.Event().wait()
        self.events.append("started")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._while_stopping:
            self._while_stopping()
            # Enough turns of the loop for the signal to do harm, if it could.
            for _turn in range(20):
                await asyncio.sleep(0)
        self.events.append("stopped")

    async def lost(self) -> None:
        await self.loss.wait()
        raise LocalError("MongoDB is given up")


def signal_me(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def host(service: Service, work: Any) -> Any:
    return asyncio.run(_host(cast(Any, service), work))


def test_work_is_done_between_start_and_stop() -> None:
    service = Service()

    def work(url: str, _: Stopping) -> str:
        service.events.append("working")
        return url

    assert host(service, work) == service.url
    assert service.events == ["starting", "started", "working", "stopped"]


def test_work_that_fails_stops_everything() -> None:
    service = Service()

    def work(*_: object) -> None:
        raise CommandError("no")

    with pytest.raises(CommandError, match="no"):
        host(service, work)
    assert service.events[-1] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_and_stops_everything(number: signal.Signals) -> None:
    service = Service()

    def work(_: str, stopping: Stopping) -> None:
        signal_me(number)
        try:
            stopping.pause()
        finally:
            service.events.append("work ended")

    with pytest.raises(Interrupted):
        host(service, work)
    assert service.events == ["starting", "started", "work ended", "stopped"]


def test_a_signal_while_the_service_starts() -> None:
    service = Service(while_starting=lambda: signal_me(signal.SIGINT))
    with pytest.raises(Interrupted):
        host(service, lambda *_: None)
    assert service.events == ["starting"]


def test_the_stopping_is_never_cut_short() -> None:
    service = Service(while_stopping=lambda: signal_me(signal.SIGINT))
    assert host(service, lambda *_: 7) == 7
    assert service.events[-1] == "stopped"


def test_a_pause_is_cut_short_once_the_work_is_to_end() -> None:
    stopping = Stopping()
    stopping.pause(0.0)
    stopping.set()
    with pytest.raises(Interrupted):
        stopping.pause()


def test_a_service_that_is_lost_ends_the_work_and_stops_everything() -> None:
    service = Service()

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def work(_: str, stopping: Stopping) -> None:
            loop.call_soon_threadsafe(service.loss.set)
            try:
                stopping.pause()
            finally:
                service.events.append("work ended")

        await _host(cast(Any, service), work)

    with pytest.raises(LocalError, match="MongoDB is given up"):
        asyncio.run(run())
    assert service.events == ["starting", "started", "work ended", "stopped"]
