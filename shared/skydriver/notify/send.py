"""Sends one notification to one subscription."""

from skydriver.model.subscriptions import Notification, NotifiedEvent, Protocol, Subscription
from skydriver.notify.sinks import open_sink


async def send(subscription: Subscription, event: NotifiedEvent, notification: Notification) -> int | None:
    """Send a notification, and return what the receiver has answered (HTTP or SMTP).

    What is sent twice has the same event id both times.

    Args:
        subscription: whose receiver it is for.
        event: what it is about.
        notification: what is said of it.

    Raises:
        SinkRefused: the receiver may not be called, or does not allow it.
        SinkGone: it is gone for good.
        SinkBusy: it asks for a pause.
        SinkUnreachable: there is no answer in time, or one that says that it failed.
        NotConfigured: this function lacks keys, or a mail server.
    """
    sink = open_sink(subscription["_id"], subscription["sink"])
    if subscription["protocol"] == Protocol.HTTP:
        from skydriver.notify import webhook

        return await webhook.deliver(subscription, sink, event, notification)
    if subscription["protocol"] == Protocol.SLACK:
        from skydriver.notify import slack

        return await slack.deliver(sink, notification)
    from skydriver.notify import email

    return await email.deliver(subscription["_id"], sink, event, notification)
