"""`open`: the service's pages, in a browser."""

import webbrowser
from typing import Annotated

import typer

from skydriver.cli.context import JsonOption, complete_scan_id, connect, find_service
from skydriver.cli.screen import out, print_json, say


def open_(
    ctx: typer.Context,
    scan: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="The scan whose page it is, by its id or the beginning of it; default: what is going on.",
            autocompletion=complete_scan_id,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Open the dashboard in a browser; with --json only tell its address."""
    address = f"{find_service(ctx).url}/ui"
    if scan is not None:
        with connect(ctx) as client:
            address += f"/scan/{client.whole_id(scan)}"
    if as_json:
        print_json({"url": address})
        return
    out.print(address, soft_wrap=True)
    if not webbrowser.open(address):
        say("There is no browser here: open the address in one.")
