"""Sends one notification to one subscription."""

from skydriver.model.subscriptions import Notification, NotifiedEvent, Protocol, Subscription
from skydriver.notify.sinks import open_sink


async def send(subscription: Subscription, event: NotifiedEvent, notification: Notification) -> int | None:
    """Send a notification, and return the receiver's status (HTTP or SMTP).

    A repeat has the same event id.

    Args:
        subscription: the subscription that it is for.
        event: the event that it is about.
        notification: its content.

    Raises:
        SinkRefused: the receiver may not be called, or refuses notifications.
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
