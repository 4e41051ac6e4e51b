"""Webhooks: the handshake, deliveries, and receivers that break the specification."""

import asyncio
import base64
import hmac
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from skydriver.eventing.codec import decode
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import Protocol
from skydriver.notify.errors import SinkBusy, SinkError, SinkGone, SinkRefused, SinkUnreachable
from skydriver.notify.send import send
from skydriver.notify.signatures import current_key_id, secret_of
from skydriver.notify.webhook import ask_consent
from tests.integration.notify.conftest import ORIGIN, SECRETS
from tests.support.notifications import a_notification, a_subscription, an_event
from tests.support.receivers import Receiver, Reply

Configure = Callable[..., None]


async def deliver(receiver: Receiver) -> int | None:
    return await send(a_subscription(Protocol.HTTP, receiver.url()), an_event(), a_notification())


async def test_a_receiver_consents_to_our_name_with_a_rate(hook: Receiver) -> None:
    before = time.time()
    consent = await ask_consent(hook.url())
    assert consent["rate"] == 30
    assert consent["given_at"] is not None
    assert before <= consent["asked_at"] <= consent["given_at"]
    (asked,) = hook.heard
    assert (asked.method, asked.target) == ("OPTIONS", "/hook")
    assert asked.headers["webhook-request-origin"] == ORIGIN
    assert asked.headers["webhook-request-rate"] == "60"


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        ({"WebHook-Allowed-Origin": "*"}, None),
        ({"WebHook-Allowed-Origin": ORIGIN, "WebHook-Allowed-Rate": "*"}, None),
        ({"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "007"}, 7),
    ],
)
@pytest.mark.parametrize("status", [200, 204, 404, 405])
async def test_consent_depends_on_the_headers_and_not_on_the_status(
    hook: Receiver, headers: dict[str, str], rate: int | None, status: int
) -> None:
    hook.on("OPTIONS", Reply(status, headers))
    assert (await ask_consent(hook.url()))["rate"] == rate


@pytest.mark.parametrize(
    "allowed",
    [
        None,
        "",
        "other.test",
        f"{ORIGIN}.evil.test",
        f"evil.{ORIGIN}",
        ORIGIN.removeprefix("skydriver."),
        ORIGIN[:-1],
        f"{ORIGIN}, evil.test",
        f"https://{ORIGIN}",
        "*.example.test",
        "**",
    ],
)
async def test_other_origins_and_missing_headers_are_no_consent(hook: Receiver, allowed: str | None) -> None:
    hook.on("OPTIONS", Reply(200, {} if allowed is None else {"WebHook-Allowed-Origin": allowed}))
    with pytest.raises(SinkRefused, match="WebHook-Allowed-Origin") as refused:
        await ask_consent(hook.url())
    assert refused.value.code == ReasonCode.CONSENT_REFUSED


@pytest.mark.parametrize("rate", ["0", "-1", "1.5", "many", "", "٣"])
async def test_an_invalid_rate_is_no_consent(hook: Receiver, rate: str) -> None:
    hook.on("OPTIONS", Reply(200, {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": rate}))
    with pytest.raises(SinkRefused, match="WebHook-Allowed-Rate"):
        await ask_consent(hook.url())


@pytest.mark.parametrize(
    ("status", "error"), [(410, SinkGone), (429, SinkBusy), (500, SinkUnreachable), (502, SinkUnreachable)]
)
async def test_a_failed_handshake_is_an_outage_and_no_refusal(
    hook: Receiver, status: int, error: type[SinkError]
) -> None:
    hook.on("OPTIONS", Reply(status))
    with pytest.raises(error):
        await ask_consent(hook.url())


async def test_a_delivery_is_a_cloudevent_in_binary_mode_signed_for_its_subscription(hook: Receiver) -> None:
    assert await deliver(hook) == 204
    (heard,) = hook.posts()
    event = decode(heard.headers, heard.body)
    assert (event.id, event.subject) == (an_event()["id"], "scan-1")
    assert event.type == "org.icecube.skydriver.scan.finished.v1"
    assert event.data == a_notification()
    assert heard.headers["webhook-request-origin"] == ORIGIN
    assert heard.headers["content-type"] == "application/json"
    assert "." not in heard.headers["webhook-id"]
    assert abs(int(heard.headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    secret = base64.b64decode(secret_of("sub-1", 1, current_key_id()).removeprefix("whsec_"))
    code = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    assert heard.headers["webhook-signature"] == f"v1,{code}"


async def test_a_repeat_has_the_same_ids(hook: Receiver) -> None:
    await deliver(hook)
    await deliver(hook)
    first, second = hook.posts()
    assert first.headers["ce-id"] == second.headers["ce-id"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_another_generation_has_another_signature(hook: Receiver) -> None:
    subscription = a_subscription(Protocol.HTTP, hook.url(), generation=2)
    await deliver(hook)
    await send(subscription, an_event(), a_notification())
    first, second = hook.posts()
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_nothing_is_sent_without_the_key_of_the_secret(hook: Receiver) -> None:
    subscription = a_subscription(Protocol.HTTP, hook.url(), key_id="a key that was dropped")
    with pytest.raises(SinkRefused, match="rotate") as refused:
        await send(subscription, an_event(), a_notification())
    assert refused.value.code == ReasonCode.SIGNING_KEY_GONE
    assert not hook.heard


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (301, SinkRefused, ReasonCode.SINK_REFUSED),
        (307, SinkRefused, ReasonCode.SINK_REFUSED),
        (400, SinkUnreachable, ReasonCode.SINK_UNREACHABLE),
        (404, SinkUnreachable, ReasonCode.SINK_UNREACHABLE),
        (410, SinkGone, ReasonCode.SINK_GONE),
        (415, SinkRefused, ReasonCode.SINK_REFUSED),
        (429, SinkBusy, ReasonCode.SINK_BUSY),
        (500, SinkUnreachable, ReasonCode.SINK_UNREACHABLE),
        (503, SinkUnreachable, ReasonCode.SINK_UNREACHABLE),
    ],
)
async def test_each_status_becomes_its_error(
    hook: Receiver, status: int, error: type[SinkError], code: ReasonCode
) -> None:
    hook.on("POST", Reply(status, {"Location": hook.url("/elsewhere")}, b"no"))
    with pytest.raises(error, match=str(status)) as failed:
        await deliver(hook)
    assert (failed.value.code, failed.value.status) == (code, status)
    assert len(hook.heard) == 1  # a redirect is not followed
    assert not [secret for secret in SECRETS if secret in str(failed.value)]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("given", "seconds"), [("120", 120), ("0", 0), ("99999999999999999999", 86400)])
async def test_retry_after_in_seconds_is_read(hook: Receiver, status: int, given: str, seconds: int) -> None:
    hook.on("POST", Reply(status, {"Retry-After": given}))
    with pytest.raises(SinkBusy) as busy:
        await deliver(hook)
    assert busy.value.retry_after == seconds


@pytest.mark.parametrize(("ahead", "low", "high"), [(3000, 2000, 3001), (-3000, 0, 0), (1e9, 86400, 86400)])
async def test_retry_after_as_a_date_is_read(hook: Receiver, ahead: float, low: int, high: int) -> None:
    hook.on("POST", Reply(429, {"Retry-After": formatdate(time.time() + ahead, usegmt=True)}))
    with pytest.raises(SinkBusy) as busy:
        await deliver(hook)
    assert busy.value.retry_after is not None
    assert low <= busy.value.retry_after <= high


@pytest.mark.parametrize("given", ["soon", "-5", "1e3", "Mon, 99 Foo 2026"])
async def test_an_invalid_retry_after_is_ignored(hook: Receiver, given: str) -> None:
    hook.on("POST", Reply(429, {"Retry-After": given}))
    with pytest.raises(SinkBusy) as busy:
        await deliver(hook)
    assert busy.value.retry_after is None


async def drip(writer: asyncio.StreamWriter) -> None:
    """Write a byte again and again, as long as the other side reads."""
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silence(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_a_slow_answer_is_cut_off_at_the_deadline(hook: Receiver, insecure: Configure) -> None:
    insecure(CALL_TIMEOUT="0.3")
    hook.on("POST", Reply(500, then=drip))
    with pytest.raises(SinkUnreachable, match=r"within 0\.3 s"):
        await deliver(hook)


async def test_the_body_of_a_success_is_not_read(hook: Receiver) -> None:
    hook.on("POST", Reply(200, then=silence))
    assert await deliver(hook) == 200


async def test_only_the_beginning_of_a_huge_answer_is_read(hook: Receiver) -> None:
    written = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        for _ in range(1000):
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    hook.on("POST", Reply(500, then=flood))
    with pytest.raises(SinkUnreachable, match="answers 500"):
        await deliver(hook)
    # As much as the buffers of both sides hold, not all of the 64 MB.
    assert written < 32 * 2**20


async def test_an_absent_receiver_is_unreachable(hook: Receiver) -> None:
    gone = hook.url().replace(str(hook.port), "1")
    with pytest.raises(SinkUnreachable, match="no answer") as failed:
        await send(a_subscription(Protocol.HTTP, gone), an_event(), a_notification())
    assert failed.value.status is None
    assert not [secret for secret in SECRETS if secret in str(failed.value)]
