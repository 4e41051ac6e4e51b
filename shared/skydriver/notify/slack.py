"""Messages to Slack's incoming webhooks, within the limits of its blocks."""

from typing import Any

import orjson

from skydriver.model.reasons import cut
from skydriver.model.subscriptions import Notification
from skydriver.notify.address import Answer, call
from skydriver.notify.errors import SinkError, SinkGone
from skydriver.notify.message import message_of
from skydriver.notify.webhook import failure_of

MAX_HEADER = 150
MAX_TEXT = 3000
MAX_FIELD = 2000
MAX_FIELDS = 10
"""Of a section (docs.slack.dev, reference of blocks)."""

_GONE = {"no_service", "no_active_hooks", "no_team", "team_disabled", "channel_is_archived"}
"""Slack's answers for a webhook that no longer works (docs.slack.dev, incoming webhooks)."""


async def deliver(sink: str, notification: Notification) -> int:
    """Post a notification; returns the status of the answer.

    Raises:
        SinkRefused: the webhook may not be called.
        SinkGone: it no longer works.
        SinkBusy: Slack asks for a pause.
        SinkUnreachable: there is no answer in time, or one that says that it failed.
    """
    body = orjson.dumps(payload(notification))
    answer = await call("POST", sink, {"Content-Type": "application/json"}, body)
    error = _failure(answer)
    if error is not None:
        raise error
    return answer.status


def payload(notification: Notification) -> dict[str, Any]:
    """Make the message: blocks, and a text for programs that do not show blocks."""
    message = message_of(notification)
    fields = [
        _markdown(f"*{escaped(name)}*\n{fitted(value, MAX_FIELD - 100)}") for name, value in message.facts
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": fitted(message.title, MAX_HEADER)}},
        {"type": "section", "text": _markdown(fitted(message.sentence, MAX_TEXT))},
        {"type": "section", "fields": fields[:MAX_FIELDS]},
    ]
    if message.reason is not None:
        reason = f"*Reason*\n{fitted(message.reason, MAX_TEXT - 100)}"
        blocks.append({"type": "section", "text": _markdown(reason)})
    if message.links:
        links = "\n".join(f"<{escaped(address)}|{escaped(name)}>" for name, address in message.links)
        blocks.append({"type": "section", "text": _markdown(links)})
    return {"text": fitted(message.title, MAX_TEXT), "blocks": blocks}


def escaped(text: str) -> str:
    """Escape Slack's control characters: mentions, channels and links begin with `<`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fitted(text: str, limit: int) -> str:
    """Escape a text, and cut it to so many characters or fewer, never within an entity."""
    while len(escaped(text)) > limit:
        text = cut(text, len(text) - max(1, (len(escaped(text)) - limit) // len("&amp;")))
    return escaped(text)


def _markdown(text: str) -> dict[str, Any]:
    # Verbatim: names and addresses in users' texts do not become mentions and links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _failure(answer: Answer) -> SinkError | None:
    word = answer.body.decode("ascii", "replace").strip()
    if answer.status >= 400 and word in _GONE:
        return SinkGone(f"Slack answers that the webhook is gone ({word})", status=answer.status)
    return failure_of(answer)
