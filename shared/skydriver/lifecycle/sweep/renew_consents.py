"""Asks webhooks for their consent: those that have not given it yet, and once a month the others."""

import asyncio
import time

from skydriver.lifecycle.subscriptions.ask_receiver import ask_webhook
from skydriver.model.subscriptions import Subscription
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose

MAX_ASKED = 20
"""Webhooks that one sweep asks; the next sweep goes on."""
LEASE = 300.0
"""Seconds after which a webhook is asked again if its answer was not stored."""


async def renew_consents() -> None:
    """Ask the webhooks whose consent is due, all at the same time: a slow one delays no other.

    Raises:
        NotConfigured: this function lacks keys.
    """
    now = time.time()
    due: list[Subscription] = []
    while len(due) < MAX_ASKED:
        one = await subscriptions.take_to_ask(now=now, until=now + LEASE)
        if one is None:
            break
        due.append(one)
    await asyncio.gather(*map(_renew, due))


async def _renew(subscription: Subscription) -> None:
    change = await ask_webhook(subscription)
    await subscriptions.change(subscription["_id"], change, whose=Whose(of_all=True), seen=subscription)
