"""What the options before a command's name say, and how commands reach the service."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli.address import DATA_HOME, Address, find_address, xdg_folder
from skydriver.cli.client import Client
from skydriver.cli.errors import CommandError
from skydriver.cli.follow import Pause
from skydriver.cli.secrets import checked_token
from skydriver.cli.sessions import Renewing, load, user_of


@dataclass(frozen=True)
class Options:
    """The options before the command's name."""

    url: str | None


MAX_COMPLETED = 20
"""Ids that a shell is told of at once."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, and nothing else.")]


def complete_scan_id(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the newest scans' ids, for a shell that completes a word; none where no service answers."""
    given = ctx.find_root().params.get("url")
    ctx.obj = Options(url=given or os.environ.get("SKYDRIVER_URL"))
    try:
        with connect(ctx, timeout_seconds=0.0) as client:
            return client.newest(incomplete, limit=MAX_COMPLETED)
    except CommandError:
        return []


ScanId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The scan's id, or its beginning.", autocompletion=complete_scan_id),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="SKYDRIVER_DATA",
        metavar="FOLDER",
        help="Where the service keeps its database; default: skydriver/ in the XDG data home.",
        file_okay=False,
    ),
]


def find_service(ctx: typer.Context) -> Address:
    """Find the service to talk to: --url or SKYDRIVER_URL, else the local one that runs on SKYDRIVER_DATA.

    Raises:
        Unreachable: none is known.
    """
    options: Options = ctx.obj
    given = os.environ.get("SKYDRIVER_DATA")
    return find_address(options.url, Path(given) if given else xdg_folder(*DATA_HOME))


def given_token() -> str | None:
    """Take the token of SKYDRIVER_TOKEN.

    Raises:
        CommandError: it cannot be sent.
    """
    token = os.environ.get("SKYDRIVER_TOKEN")
    return checked_token(token, "SKYDRIVER_TOKEN") if token else None


def connect(ctx: typer.Context, *, timeout_seconds: float = 3.0, pause: Pause = time.sleep) -> Client:
    """Talk to the service, as the user of SKYDRIVER_TOKEN or of a login there.

    Raises:
        Unreachable: no service is known.
        CommandError: the token cannot be sent.
    """
    address = find_service(ctx)
    token = given_token()
    session = None if token else load(address.url)
    auth = None if session is None else Renewing(address.url, session)
    return Client(address, token, auth=auth, timeout_seconds=timeout_seconds, pause=pause)


def user_name(ctx: typer.Context) -> str:
    """Say who the user is to the service.

    Raises:
        CommandError: they have not said so.
    """
    session = load(find_service(ctx).url)
    token = given_token() or (session.access_token if session else "")
    name = user_of(token)
    if name is None:
        raise CommandError("who you are is not known here: log in with `skydriver login`")
    return name
