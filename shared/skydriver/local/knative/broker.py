"""A Broker in memory: takes events in, hands each to the Triggers that want it, at least once.

It follows Knative's rules, so that a function that works here works there:
- tried again: 404, 408, 409, 429, any 5xx, and no answer; any other status but 2xx is final;
- an answer with a body that is no CloudEvent is a failed delivery, as the default Broker has it; an answer
  that is a CloudEvent comes back in as an event of its own;
- what cannot be delivered goes to the dead letter sink, which finds a refusal in the event's attributes
  (knativeerrordest, knativeerrorcode, knativeerrordata); of no answer, and of one that a broker does not
  understand, it is told nothing.

Like Knative's in-memory channel it keeps nothing when it ends: publishers must not rely on it.
"""

import asyncio
import base64
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from skydriver.local.event import Event
from skydriver.local.knative.function_client import address
from skydriver.local.knative.overlay import Delivery, Function, Trigger

logger = logging.getLogger(__name__)

_TRIED_AGAIN = frozenset({404, 408, 409, 429})
_ERROR_DATA = 1024  # characters, in base64, of an answer that a dead letter holds, as in Knative
_UNBOUNDED = 100  # requests at once for a Service that sets no bound


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a delivery failed: an HTTP status and what the answer said; False where there was no answer."""

    status: int
    said: bytes
    is_refusal: bool = True

    @property
    def may_pass(self) -> bool:
        """True if it is worth another try."""
        return self.status in _TRIED_AGAIN or self.status >= 500


class Broker:
    """One Broker with its Triggers.

    A subscriber gets no more requests at once than one instance of it would take (containerConcurrency);
    waiting for a retry takes no place.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        triggers: Iterable[Trigger],
        functions: Mapping[str, Function],
        client: httpx.AsyncClient,
    ) -> None:
        self.name = name
        self._namespace = namespace
        self._triggers = [trigger for trigger in triggers if trigger.broker == name]
        self._client = client
        self._places = {
            function.name: asyncio.Semaphore(function.concurrency or _UNBOUNDED)
            for function in functions.values()
        }
        self._deliveries: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def ingress(self, request: Request) -> Response:
        """Take an event in: 202 once it is on its way to its Triggers, 400 if it is no event."""
        if request.method != "POST":
            return _error(405, "Method Not Allowed")
        try:
            event = Event.from_http(request.headers, await request.body())
        except ValueError as error:
            return _error(400, str(error))
        if self._stopping.is_set():
            return _error(503, "the broker is stopping")
        self.take(event)
        return Response(status_code=202)

    def take(self, event: Event) -> None:
        """Start the deliveries of an event."""
        for trigger in self._triggers:
            if trigger.accepts(event.attributes):
                name = f"deliver {event.attributes['id']} to {trigger.name}"
                task = asyncio.create_task(self._deliver(event, trigger), name=name)
                self._deliveries.add(task)
                task.add_done_callback(self._deliveries.discard)

    @property
    def is_busy(self) -> bool:
        """True while a delivery is under way."""
        return bool(self._deliveries)

    async def stop(self, grace: float) -> None:
        """Start nothing any more, and give what is under way `grace` seconds."""
        self._stopping.set()
        if self.is_busy:
            _, late = await asyncio.wait(set(self._deliveries), timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _deliver(self, event: Event, trigger: Trigger) -> None:
        failure = await self._try(event, trigger.subscriber, trigger.delivery)
        if failure is None or self._stopping.is_set():
            return
        logger.warning("%s: %s was not delivered: %s", trigger.name, event.attributes["id"], failure)
        if trigger.delivery.dead_letter is not None:
            letter = event
            if failure.is_refusal:
                letter = event.extended(
                    knativeerrordest=address(trigger.subscriber, self._namespace).rstrip("/"),
                    knativeerrorcode=str(failure.status),
                    knativeerrordata=base64.b64encode(failure.said).decode()[:_ERROR_DATA],
                )
            failure = await self._try(letter, trigger.delivery.dead_letter, trigger.delivery)
            if failure is not None:
                logger.error(
                    "%s: the dead letter %s is lost: %s", trigger.name, event.attributes["id"], failure
                )

    async def _try(self, event: Event, service: str, delivery: Delivery) -> Failure | None:
        """Send an event until it is taken, or not to be sent again."""
        for repeat in range(delivery.retry + 1):
            async with self._places[service]:
                if self._stopping.is_set():
                    return None
                failure = await self._send(event, service, delivery.timeout)
            if failure is None or not failure.may_pass:
                return failure
            if repeat < delivery.retry:
                await self._wait(delivery.wait(repeat))
        return failure

    async def _send(self, event: Event, service: str, timeout: float | None) -> Failure | None:
        headers, body = event.to_http()
        try:
            async with asyncio.timeout(timeout):
                answer = await self._client.post(
                    address(service, self._namespace), headers=headers, content=body
                )
        except (TimeoutError, httpx.HTTPError) as error:
            return Failure(502, f"no answer: {type(error).__name__}".encode(), is_refusal=False)
        if not answer.is_success:
            return Failure(answer.status_code, answer.content)
        try:
            reply = Event.from_http(answer.headers, answer.content)
        except ValueError:
            if not answer.content:
                return None
            return Failure(502, b"the answer is not empty, and no CloudEvent", is_refusal=False)
        self.take(reply)
        return None

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _error(code: int, error: str) -> Response:
    return JSONResponse({"code": code, "error": error}, status_code=code)
