"""Messages to Slack, received by a stand-in that checks Slack's limits (Slack itself cannot run here)."""

import json
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import InvalidArguments
from skydriver.model.subscriptions import Protocol
from skydriver.notify.errors import SinkBusy, SinkError, SinkGone, SinkUnreachable
from skydriver.notify.send import send
from skydriver.notify.sinks import checked_sink
from skydriver.notify.slack import fitted, payload
from tests.integration.notify.conftest import SECRETS
from tests.support.notifications import a_notification, a_subscription, an_event
from tests.support.receivers import Heard, Receiver, Reply, receiver, slack_checks

Configure = Callable[..., None]
PATH = "/services/T0KEN/B00/xyz"


@pytest_asyncio.fixture
async def slack(insecure: Configure) -> AsyncIterator[Receiver]:
    async with receiver() as running:
        running.checks = slack_checks
        insecure(SLACK_HOST=f"127.0.0.1:{running.port}")
        yield running


async def post(slack: Receiver, **changes: object) -> str:
    subscription = a_subscription(Protocol.SLACK, checked_sink("SLACK", slack.url(PATH)))
    assert await send(subscription, an_event(), a_notification(**changes)) == 200
    return slack.heard[-1].body.decode()


async def test_a_message_says_what_happened_and_where_to_look(slack: Receiver) -> None:
    message = await post(slack)
    assert slack.heard[0].target == PATH
    for words in (
        "SkyDriver: scan finished, run 139534, event 12345",
        "RA 123.4568°, Dec -5.4321°",
        "90 % area",
        "1.234 square degrees (definition: wilks",
        "<https://skydriver.example.test/ui/scan?id=scan-1|Page of the scan>",
    ):
        assert words in message


async def test_control_characters_of_slack_are_escaped(slack: Receiver) -> None:
    message = await post(slack, reason="<!channel> <https://evil.test|click> & more", outcome="failed")
    assert "&lt;!channel&gt; &lt;https://evil.test|click&gt; &amp; more" in message
    assert "<!channel>" not in message


@pytest.mark.parametrize("character", ["x", "&", "<", "é", "🔭", "\n"])
async def test_the_longest_message_is_within_the_limits(slack: Receiver, character: str) -> None:
    long = character * 5000
    await post(slack, reason=long, scan_id=long, outcome=long)


@given(st.text(st.sampled_from("&<>aé"), max_size=300), st.integers(5, 200))
def test_a_text_is_cut_between_characters(text: str, limit: int) -> None:
    short = fitted(text, limit)
    assert len(short) <= limit
    plain = short.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert plain == text or (plain.endswith("…") and text.startswith(plain[:-1]))


def test_a_scan_without_a_result_and_an_event_without_a_name() -> None:
    bare = a_notification(
        fact="scan.failed", run_id=None, event_id=None, best_fit=None, area=None, outcome=None, links={}
    )
    body = json.dumps(payload(bare)).encode()
    assert slack_checks(Heard("POST", PATH, {"content-type": "application/json"}, body)).status == 200


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, body=b"no_service"), SinkGone),
        (Reply(410, body=b"channel_is_archived"), SinkGone),
        (Reply(403, body=b"action_prohibited"), SinkUnreachable),
        (Reply(400, body=b"invalid_payload"), SinkUnreachable),
        (Reply(404), SinkUnreachable),
        (Reply(500, body=b"\xff\xfe"), SinkUnreachable),
        (Reply(429, {"Retry-After": "30"}), SinkBusy),
    ],
)
async def test_answers_of_slack_become_the_right_errors(
    slack: Receiver, reply: Reply, error: type[SinkError]
) -> None:
    slack.checks = lambda _: reply
    with pytest.raises(error) as failed:
        await post(slack)
    assert failed.value.status == reply.status
    assert not [secret for secret in SECRETS if secret in str(failed.value)]


def test_only_addresses_at_slacks_host_are_accepted(configure: Configure) -> None:
    configure(SLACK_HOST="hooks.slack.com")
    assert checked_sink("SLACK", f"https://hooks.slack.com{PATH}") == f"https://hooks.slack.com{PATH}"
    for other in (
        f"https://hooks.slack.com.evil.test{PATH}",
        f"https://evil.test{PATH}",
        f"https://hooks.slack.com:444{PATH}",
        f"https://hooks.slack.com@evil.test{PATH}",
        f"https://evil.test\\@hooks.slack.com{PATH}",
        f"http://hooks.slack.com{PATH}",
        "https://hooks.slack.com",
        "https://hooks.slack.com/",
    ):
        with pytest.raises(InvalidArguments) as refused:
            checked_sink("SLACK", other)
        assert refused.value.problems.keys() == {"sink"}
    configure(SLACK_HOST="")
    with pytest.raises(InvalidArguments) as refused:
        checked_sink("SLACK", f"https://hooks.slack.com{PATH}")
    assert refused.value.problems.keys() == {"protocol"}
