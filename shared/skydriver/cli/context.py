"""What the options before a command's name say, and how commands reach the service."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli.address import default_data_folder, find_address
from skydriver.cli.client import Client
from skydriver.cli.follow import Pause

JsonOption = Annotated[bool, typer.Option("--json", help="Print the service's JSON answer and nothing else.")]
ScanId = Annotated[str, typer.Argument(metavar="ID", help="The scan's id.")]
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


@dataclass(frozen=True)
class Options:
    """The options before the command's name."""

    url: str | None


def connect(ctx: typer.Context, *, patience_s: float = 3.0, pause: Pause = time.sleep) -> Client:
    """The service to talk to: --url or SKYDRIVER_URL, else the local one that runs on SKYDRIVER_DATA.

    Raises:
        Unreachable: none is known.
    """
    options: Options = ctx.obj
    data = Path(os.environ.get("SKYDRIVER_DATA") or default_data_folder())
    address = find_address(options.url, data)
    return Client(address, os.environ.get("SKYDRIVER_TOKEN"), patience_s=patience_s, pause=pause)
