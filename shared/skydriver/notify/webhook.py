"""Webhooks, by "HTTP 1.1 Web Hooks for Event Delivery" 1.0.2 of CloudEvents (`http-webhook.md`)."""

import re
import time
from typing import Any
from urllib.parse import urlsplit

from skydriver.eventing.codec import encode
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import Consent, Notification, NotifiedEvent, Subscription
from skydriver.notify.address import Answer, call
from skydriver.notify.errors import SinkBusy, SinkError, SinkGone, SinkRefused, SinkUnreachable
from skydriver.notify.signatures import secret_of, signed_headers
from skydriver.settings import settings

MAX_PAUSE = 86400
"""The longest `Retry-After`, in seconds, that is waited for."""
_DIGITS = 9
"""Digits that are read of a number; larger ones mean the same."""


def origin() -> str:
    """Return the DNS name of this service, for which it asks for consent."""
    return urlsplit(settings().skydriver_url).hostname or ""


async def ask_consent(sink: str, *, timeout: float | None = None) -> Consent:
    """Ask a webhook whether this service may send to it (section 4).

    Consent is the name of this service or `*` in `WebHook-Allowed-Origin`. A status is no consent, and
    neither is a name that matches only a part of ours.

    Args:
        sink: its (checked) address.
        timeout: seconds that its answer may take; else `call_timeout` of the settings.

    Raises:
        SinkRefused: it does not consent, or must not be called.
        SinkGone: it is gone for good.
        SinkBusy: it asks for a pause.
        SinkUnreachable: there is no answer in time.
    """
    asked_at = time.time()
    answer = await call(
        "OPTIONS",
        sink,
        {"WebHook-Request-Origin": origin(), "WebHook-Request-Rate": str(settings().deliveries_per_minute)},
        timeout=timeout,
    )
    allowed = answer.headers.get("webhook-allowed-origin")
    if allowed is None:
        raise no_consent(answer)
    if allowed != "*" and allowed != origin():
        raise SinkRefused(
            f"its answer to OPTIONS allows another sender: WebHook-Allowed-Origin must be {origin()} or *",
            status=answer.status,
            code=ReasonCode.CONSENT_REFUSED,
        )
    return {"asked_at": asked_at, "given_at": time.time(), "rate": _rate(answer)}


def no_consent(answer: Answer) -> SinkError:
    """Make the error for an answer without `WebHook-Allowed-Origin`."""
    error = failure_of(answer)
    if isinstance(error, SinkGone | SinkBusy) or answer.status >= 500:
        return error or SinkUnreachable("", status=answer.status)
    return SinkRefused(
        f"its answer to OPTIONS ({answer.status}) does not allow deliveries: it needs the header "
        f"WebHook-Allowed-Origin: {origin()} (CloudEvents http-webhook.md, section 4)",
        status=answer.status,
        code=ReasonCode.CONSENT_REFUSED,
    )


def _rate(answer: Answer) -> int | None:
    """Read how many deliveries a minute are allowed; None for any number, or if there is no header."""
    allowed = answer.headers.get("webhook-allowed-rate", "*")
    if allowed == "*":
        return None
    number = re.fullmatch(r"0*([1-9][0-9]*)", allowed)
    if number is None:
        raise SinkRefused(
            "its answer to OPTIONS has a WebHook-Allowed-Rate that is neither a whole number above 0 nor *",
            status=answer.status,
            code=ReasonCode.CONSENT_REFUSED,
        )
    return int(number[1][:_DIGITS])


async def deliver(
    subscription: Subscription, sink: str, event: NotifiedEvent, notification: Notification
) -> int:
    """Send a notification as a CloudEvent in binary mode, signed; returns the status of the answer.

    Raises:
        SinkRefused: it must not be called, or does not accept CloudEvents.
        SinkGone: it is gone for good.
        SinkBusy: it asks for a pause.
        SinkUnreachable: there is no answer in time, or one that says that it failed.
    """
    secret = secret_of(subscription["_id"], subscription["generation"], subscription["key_id"])
    sent: dict[str, Any] = {**event, "data": notification}
    headers, body = encode(sent)
    signed = signed_headers(secret, event["id"], body, now=int(time.time()))
    answer = await call("POST", sink, {**headers, **signed, "WebHook-Request-Origin": origin()}, body)
    error = failure_of(answer)
    if error is not None:
        raise error
    return answer.status


def failure_of(answer: Answer) -> SinkError | None:
    """Make the error of an answer to a delivery (section 2.2); None for a success."""
    status = answer.status
    if 200 <= status < 300:
        return None
    pause = retry_after(answer.headers.get("retry-after", ""))
    if status == 410:
        return SinkGone("its receiver answers that it is gone for good (410)", status=status)
    if status == 429 or (status == 503 and pause is not None):
        return SinkBusy(f"its receiver asks for a pause ({status})", status=status, retry_after=pause)
    if 300 <= status < 400:
        return SinkRefused(
            f"its receiver redirects ({status}), which notifications do not follow: subscribe with the "
            "address that it redirects to",
            status=status,
        )
    if status == 415:
        return SinkRefused("its receiver does not accept CloudEvents (415)", status=status)
    return SinkUnreachable(f"its receiver answers {status}", status=status)


def retry_after(text: str) -> int | None:
    """Read a `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3); None if it is neither."""
    if text.isascii() and text.isdigit():
        return min(int(text[:_DIGITS]), MAX_PAUSE)
    from email.utils import parsedate_to_datetime

    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return None
    return max(0, min(round(seconds), MAX_PAUSE))
