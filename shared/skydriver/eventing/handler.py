"""What every step function needs: an event off the request, an answer that a broker understands.

An answer is empty, since Knative's brokers take any other body for a failed delivery. Its status tells the
broker what to do (knative/specs, data plane): 204 done; 503 and 409 deliver it again; 400 and 422 never
again, to the dead letters.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from skydriver.errors import PermanentError, SkyDriverError, TemporaryError
from skydriver.eventing.codec import decode
from skydriver.eventing.events import Event, event_type
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store.mongo import OUTAGES
from skydriver.telemetry import traces
from skydriver.telemetry.logging import configure_logging, log_context, working

logger = logging.getLogger(__name__)

Step = Callable[[Event], Awaitable[None]]
HttpFunction = Callable[[Request], Awaitable[Response]]

MAX_EVENT_BYTES = 2**20


def step(*facts: Fact) -> Callable[[Step], HttpFunction]:
    """Make an HTTP function of a step that hears the events of these facts (of any, if none is named)."""
    types = {event_type(fact) for fact in facts}

    def decorate(handle: Step) -> HttpFunction:
        @functions_framework.aio.http
        @functools.wraps(handle)
        async def function(request: Request) -> Response:
            configure_logging()
            if request.method != "POST":
                return Response(status_code=405, headers={"Allow": "POST"})
            try:
                event = decode(request.headers, await _body(request))
                if types and event.type not in types:
                    raise PermanentError(f"this step does not hear events of type {event.type}")
            except PermanentError as error:
                return _refusal(400, str(error))
            with working(handle.__name__, event.id), log_context(scan_id=event.subject, event_id=event.id):
                if not traces.is_enabled():
                    return await _answer(handle, event)
                with traces.start_span(
                    f"process {event.type}",
                    kind="consumer",
                    parent=event.extensions,
                    attributes=_attributes(handle, event),
                ) as answered:
                    answer = await _answer(handle, event)
                    answered(answer.status_code)
                    return answer

        function.facts = facts  # type: ignore[attr-defined]
        return cast(HttpFunction, function)

    return decorate


def _attributes(handle: Step, event: Event) -> dict[str, str]:
    """Describe an event by OpenTelemetry's conventions for messaging and for CloudEvents."""
    return {
        "messaging.system": "knative",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": event.type,
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": event.source,
        "cloudevents.event_spec_version": "1.0",
        "cloudevents.event_subject": event.subject,
        "cloudevents.event_type": event.type,
        "code.function.name": f"{handle.__module__}.{handle.__qualname__}",
    }


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_EVENT_BYTES:
            raise PermanentError("the event is too large")
    return body


async def _answer(handle: Step, event: Event) -> Response:
    try:
        async with asyncio.timeout(settings().step_deadline):
            await handle(event)
    except TimeoutError:
        return _refusal(503, f"{event.id}: not done within {settings().step_deadline:g} s")
    except SkyDriverError as error:
        return _refusal(error.broker_status, f"{event.id}: {error}")
    except OUTAGES as error:
        return _refusal(TemporaryError.broker_status, f"{event.id}: {error}")
    except Exception:
        # A fault of ours: worth another try on another instance, and the dead letters after that.
        logger.exception("event %s of type %s", event.id, event.type)
        return Response(status_code=500)
    return Response(status_code=204)


def _refusal(status: int, why: str) -> Response:
    logger.warning("answered %d: %s", status, why)
    return Response(status_code=status)


def uuid_of(event: Event) -> str:
    """Read which cluster an event is about.

    Raises:
        PermanentError: it does not say so.
    """
    return _id_of(event, "uuid", "of a cluster")


def delivery_of(event: Event) -> str:
    """Read which delivery an event is about.

    Raises:
        PermanentError: the event does not name one.
    """
    return _id_of(event, "delivery", "that is due")


def _id_of(event: Event, name: str, what: str) -> str:
    found = event.data.get(name)
    if not isinstance(found, str):
        raise PermanentError(f"the event's data need the '{name}' {what}")
    return found
