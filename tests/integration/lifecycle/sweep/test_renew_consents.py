"""Webhooks are asked for consent within the sweep's time; `rest/test_subscriptions.py` tests what follows."""

from collections.abc import Callable

import pytest

from skydriver.lifecycle.sweep.sweep import sweep
from skydriver.local.http_server import listen, url
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import SubscriptionState
from tests.support.parts import Broker, Bucket, Jobs
from tests.support.subscribers import subscribed, subscription

Configure = Callable[..., None]


@pytest.mark.usefixtures("database")
async def test_a_webhook_that_never_answers_is_noted_as_a_try(
    jobs: Jobs, bucket: Bucket, broker: Broker, configure: Configure
) -> None:
    # The deadlines have the ratio of the overlays: a call may take longer than the duty's share of the sweep.
    configure(SUBSCRIPTION_INSECURE_SINKS="true", STEP_DEADLINE="6", CALL_TIMEOUT="3")
    with listen(None) as deaf:
        waiting = await subscribed(
            url(deaf), state=SubscriptionState.PENDING, asking={"at": 1.0, "tries": 4}, consent=None
        )
        assert "renew_consents" not in await sweep()
    seen = await subscription(waiting)
    assert seen["asking"]["tries"] == 5
    assert (seen["state"], seen["reason_code"]) == (SubscriptionState.PENDING, ReasonCode.SINK_UNREACHABLE)
