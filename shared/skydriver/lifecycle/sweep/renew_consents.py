"""Asks webhooks for their consent: those that have not given it yet, and once a month the others."""

import asyncio
import time

from skydriver.lifecycle.subscriptions.ask_receiver import ask_webhook
from skydriver.model.subscriptions import Subscription
from skydriver.settings import Settings, settings
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose

MAX_ASKED = 20
"""Webhooks that one sweep asks; the next sweep goes on."""
LEASE = 300.0
"""Seconds after which a webhook is asked again if its answer was not stored."""

ASK_SHARE = 0.2
"""The part of the sweep's time that a webhook has to answer, well below what the duty has."""


def ask_timeout(known: Settings) -> float:
    """Compute how many seconds a webhook has to answer: a try in vain is stored before the duty is cut."""
    return min(known.call_timeout, ASK_SHARE * known.step_deadline)


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
    change = await ask_webhook(subscription, timeout=ask_timeout(settings()))
    await subscriptions.change(subscription["_id"], change, whose=Whose(of_all=True), seen=subscription)
