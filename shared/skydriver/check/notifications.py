"""Checks the servers that notifications are sent to: the mail server, and Slack."""

from skydriver.check.finding import Missing
from skydriver.notify.address import call
from skydriver.notify.email import mail_server
from skydriver.notify.errors import SinkError
from skydriver.settings import settings


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
