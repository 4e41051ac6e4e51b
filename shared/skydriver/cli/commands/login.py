"""`login`: let the service know who you are."""

import time
from collections.abc import Callable
from typing import Annotated

import httpx
import typer

from skydriver.cli.address import checked_url
from skydriver.cli.context import JsonOption, find_service
from skydriver.cli.errors import CommandError, Unreachable
from skydriver.cli.screen import clean, print_json, say
from skydriver.cli.secrets import keep_secret
from skydriver.cli.sessions import RealmAnswer, Session, ask, endpoint, save, user_of

ICECUBE = "https://keycloak.icecube.wisc.edu/auth/realms/IceCube"
CLIENT_ID = "skydriver-external"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def login(
    ctx: typer.Context,
    issuer: Annotated[
        str,
        typer.Option(envvar="SKYDRIVER_ISSUER", metavar="URL", help="The Keycloak realm to log in at."),
    ] = ICECUBE,
    client_id: Annotated[str, typer.Option(metavar="NAME", help="This command's name there.")] = CLIENT_ID,
    as_json: JsonOption = False,
) -> None:
    """Log in at a service: approve a code in a browser, on any device."""
    url = find_service(ctx).url
    session = log_in(checked_url(issuer, "--issuer or SKYDRIVER_ISSUER"), client_id)
    save(url, session)
    user = user_of(session.access_token)
    if as_json:
        print_json({"url": url, "user": user})
    else:
        say(f"Logged in at {url} as {clean(user or 'a user without a name')}.", style="green")


def log_in(issuer: str, client_id: str, pause: Callable[[float], None] = time.sleep) -> Session:
    """Go through the device flow (RFC 8628): show a code, and wait until it is approved.

    Raises:
        CommandError: it was refused, or not approved in time.
        Unreachable: the realm does not answer.
    """
    form = {"client_id": client_id, "scope": "openid offline_access"}
    answer = ask(endpoint(issuer, "device_authorization_endpoint"), form)
    if answer.is_error:
        raise CommandError(f"the realm takes no login: {_problem(answer)}")
    started = RealmAnswer(answer)
    device_code = keep_secret(started.text("device_code"))
    address = started.text("verification_uri_complete", "") or started.text("verification_uri")
    say(f"Open {clean(address)} in a browser and approve the code {clean(started.text('user_code'))}.")
    delay = started.seconds("interval", 5)
    deadline = time.monotonic() + started.seconds("expires_in", 600)
    token_endpoint = endpoint(issuer, "token_endpoint")
    while time.monotonic() < deadline:
        pause(delay)
        form = {"grant_type": _GRANT, "device_code": device_code, "client_id": client_id}
        answer = ask(token_endpoint, form)
        if answer.is_success:
            return Session.of(RealmAnswer(answer), issuer=issuer, client_id=client_id)
        match _problem(answer):
            case "authorization_pending":
                pass
            case "slow_down":
                delay += 5
            case problem:
                raise CommandError(f"the login was not approved: {problem}")
    raise CommandError("the login was not approved in time")


def _problem(answer: httpx.Response) -> str:
    try:
        return clean(RealmAnswer(answer).text("error"))
    except Unreachable:
        return f"HTTP {answer.status_code}"
