"""Checks the servers that notifications are sent to, the mail server and Slack, and the keys in use."""

from skydriver.check.finding import Missing
from skydriver.notify.address import call
from skydriver.notify.email import mail_server
from skydriver.notify.errors import SinkError
from skydriver.notify.signatures import KEYS
from skydriver.runtime.keys import has_keys, keys_of
from skydriver.settings import settings
from skydriver.store import subscriptions

MAX_NAMED = 20
"""Subscriptions that are named in a finding."""


async def check_mail_server() -> str:
    """Connect to the mail server and log in, as a delivery does; nothing is sent.

    Raises:
        Missing: the server cannot be used; the message says what to do.
        NotConfigured: a setting is missing.
    """
    given = settings()
    if given.smtp_host is None:
        return "none: notifications cannot be sent by e-mail (SMTP_HOST is not set)"
    if given.smtp_user is not None and given.smtp_password is None:
        return "its login is not tried here: run this in deliver-notification, which has the password"
    try:
        async with mail_server():
            pass
    except SinkError as error:
        raise Missing(
            f"{error}: compare SMTP_HOST, SMTP_PORT, SMTP_SECURITY, SMTP_USER and SMTP_PASSWORD"
        ) from (error)
    login = "without a login" if given.smtp_user is None else f"as {given.smtp_user}"
    return f"takes connections ({given.smtp_security}), {login}"


async def check_slack() -> str:
    """Send a request to Slack's host; any answer will do.

    Raises:
        Missing: there is none.
    """
    host = settings().slack_host
    if not host:
        return "not used (SLACK_HOST is empty)"
    if settings().subscription_keys is None:
        return "not tried here: run this in deliver-notification, which sends there"
    try:
        await call("HEAD", f"https://{host}/", {})
    except SinkError as error:
        raise Missing(
            f"{host}: {error}: let functions reach it, or empty SLACK_HOST if there is no Slack"
        ) from error
    return f"{host} answers"


async def check_subscription_keys() -> str:
    """Look which subscriptions need another key than the first: none may be dropped before they do not.

    Raises:
        Missing: some need a key that was dropped, or MongoDB does not answer.
        NotConfigured: this function does not use the database.
    """
    from pymongo.errors import PyMongoError

    if not has_keys(KEYS):
        return "not looked at here: run this in deliver-notification, which has the keys"
    known = keys_of(KEYS)
    try:
        old = await subscriptions.not_of_key(known.signing.id)
    except PyMongoError as error:
        raise Missing(f"MONGODB_URI leads to no usable MongoDB: {type(error).__name__}") from error
    lost = [one.name for one in old if not one.keys <= known.by_id.keys()]
    if lost:
        raise Missing(
            f"{len(lost)} subscriptions need a key that is no longer in SUBSCRIPTION_KEYS: {_some(lost)}"
        )
    if old:
        names = _some([one.name for one in old])
        return f"{len(old)} subscriptions need a key that is not the first, so keep it: {names}"
    return "all subscriptions need the first key alone"


def _some(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
