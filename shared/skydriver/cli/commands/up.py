"""`up`: the whole service on this machine, until Ctrl-C."""

from typing import Annotated

import typer

from skydriver.cli.address import Address, default_data_folder
from skydriver.cli.client import Client
from skydriver.cli.commands.demo import example_request
from skydriver.cli.commands.scan import follow_to_the_end, require_success
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
            help="Use this MongoDB, e.g. mongodb://HOST/DATABASE, which no other installation works on; "
            "default: start one.",
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Scan the project's example event first, and go on.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log to the terminal, not into the data folder.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole service here: MongoDB, S3, broker, every function, and stand-in scanners."""
    folder = data or default_data_folder()

    def serve(url: str, stopping: Stopping) -> None:
        if as_json:
            print_json({"url": url, "data": str(folder), "dashboard": f"{url}/ui"})
        else:
            _welcome(url, is_default=data is None)
        if example:
            _scan_example(url, stopping)
        stopping.pause()

    say(f"Starting; data in {folder}")
    try:
        host(folder, serve, port=port, processes=processes, mongodb_uri=mongodb_uri, verbose=verbose)
    except Interrupted:
        # That is how this command ends: not a failure.
        say("Everything is stopped.")


def _scan_example(url: str, stopping: Stopping) -> None:
    with Client(Address(url, "this service"), pause=stopping.pause) as client:
        scan_id = str(client.submit(example_request())["scan_id"])
        say(f"The example is being scanned: {url}/ui/scan/{scan_id}")
        require_success(follow_to_the_end(client, [scan_id], stopping.pause))


def _welcome(url: str, *, is_default: bool) -> None:
    out.print(f"SkyDriver is up at {url}", style="bold green", soft_wrap=True)
    say(f"Its dashboard: {url}/ui (`skydriver open` opens it)")
    if not is_default:
        say(f"For commands in other terminals: export SKYDRIVER_URL={url}")
    say("Submit an event with `skydriver scan EVENT.json`; Ctrl-C here stops everything.")
