"""`up`: the whole service on this machine, until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli.address import default_data_folder
from skydriver.cli.context import DataOption, JsonOption
from skydriver.cli.errors import Interrupted
from skydriver.cli.hosting import Stopping, host
from skydriver.cli.screen import out, print_json, say


def up(
    data: DataOption = None,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; default: a free one.", min=1, max=65535)
    ] = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="Run each function in a process of its own, as Knative would.")
    ] = False,
    mongodb_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Use this MongoDB, e.g. mongodb://HOST:PORT/DATABASE, which no other installation works on; "
            "default: start one.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log to the terminal, not into the data folder.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole service here: MongoDB, S3, broker, every function, and stand-in scanners."""
    folder = data or default_data_folder()

    def serve(url: str, stopping: Stopping) -> None:
        if as_json:
            print_json({"url": url, "data": str(folder)})
        else:
            _welcome(url, folder, is_default=data is None)
        stopping.pause()

    say(f"Starting; data in {folder}")
    try:
        host(folder, serve, port=port, processes=processes, mongodb_uri=mongodb_uri, verbose=verbose)
    except Interrupted:
        # That is how this command ends: not a failure.
        say("Everything is stopped.")


def _welcome(url: str, folder: Path, *, is_default: bool) -> None:
    out.print(f"SkyDriver is up at {url}", style="bold green", soft_wrap=True)
    if not is_default:
        say(f"For commands in other terminals: export SKYDRIVER_URL={url}")
    say("Submit an event with `skydriver scan EVENT.json`; Ctrl-C here stops everything.")
