"""The local runtime's broker, but events come twice, late, in another order, or never."""

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from skydriver.local.event import Event
from skydriver.local.knative.broker import Broker, Failure
from tests.faults.dice import Dice, Tally

MAX_DELAY = 12.0
LOST, TWICE, LATE = 0.04, 0.10, 0.10


@dataclass(frozen=True)
class Letter:
    """An event that was given up: what each of its tries was answered with, and when."""

    event_type: str
    subject: str
    tries: tuple[tuple[float, int], ...]


_tries: ContextVar[list[tuple[float, int]]] = ContextVar("_tries")


class FaultyBroker(Broker):
    """Takes every event with a 202, and does not always keep its word.

    Attributes:
        letters: the events that were given up.
    """

    def __init__(self, name: str, *, dice: Dice, tally: Tally, **others: Any) -> None:
        super().__init__(name, **others)
        self._dice = dice
        self._tally = tally
        self._later: set[asyncio.Task[None]] = set()
        self.letters: list[Letter] = []

    async def _try(self, event: Event, service: str, delivery: Any) -> Failure | None:
        _tries.set([])
        failure = await super()._try(event, service, delivery)
        # A lost dead letter is no letter of its own.
        if failure is not None and "knativeerrorcode" not in event.attributes:
            self.letters.append(
                Letter(event.attributes["type"], event.attributes.get("subject", ""), tuple(_tries.get()))
            )
        return failure

    async def _send(self, event: Event, service: str, timeout: float | None) -> Failure | None:
        failure = await super()._send(event, service, timeout)
        if failure is not None:
            _tries.get().append((time.time(), failure.status))
        return failure

    def take(self, event: Event) -> None:
        """Start the deliveries of an event, or what becomes of them."""
        throw = self._dice.random() if self._tally.on else 1.0
        if throw < LOST:
            self._tally.add("event", "lost")
        elif throw < LOST + TWICE:
            self._tally.add("event", "twice")
            super().take(event)
            self._take_later(event)
        elif throw < LOST + TWICE + LATE:
            self._tally.add("event", "late")
            self._take_later(event)
        else:
            super().take(event)

    def _take_later(self, event: Event) -> None:
        async def wait() -> None:
            await asyncio.sleep(self._dice.uniform(0.0, MAX_DELAY))
            Broker.take(self, event)

        task = asyncio.create_task(wait(), name=f"later: {event.attributes['id']}")
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    @property
    def is_busy(self) -> bool:
        """True while an event is under way."""
        return bool(self._later) or super().is_busy

    def crash(self) -> None:
        """Lose whatever is under way, as a channel in memory does."""
        self._tally.add("killed, with all it held", "broker")
        for task in [*self._deliveries, *self._later]:
            task.cancel()
