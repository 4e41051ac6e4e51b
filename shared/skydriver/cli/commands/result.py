"""`result`: what a scan has found, as data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli.client import Client, Json
from skydriver.cli.context import JsonOption, ScanId, connect
from skydriver.cli.errors import CommandError
from skydriver.cli.files import write_file
from skydriver.cli.screen import print_json, say
from skydriver.cli.tables import Column, show

PARTIAL = "This result is partial: the scan has not finished."


def result(
    ctx: typer.Context,
    scan: ScanId,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write the result there: a final one in skyreader's format, a partial one as the service's "
            "whole answer.",
        ),
    ] = None,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Even if the scan is deleted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Get a scan's result: its pixels and likelihoods; a partial one while it runs.

    A file with a partial result says so (`is_final` is false beside `skyscan_result`), and no command takes
    it for a final one. Skyreader reads what is below `skyscan_result`.
    """
    with connect(ctx) as client:
        answer = fetch_result(client, client.whole_id(scan), include_deleted=include_deleted)
    if output is not None:
        if answer.get("is_final"):
            write_result(answer["skyscan_result"], output)
            say(f"wrote {output}")
        else:
            # Skyreader's format has no place for this, and a file without it counts as final.
            write_result({**answer, "is_final": False}, output)
            say(f"wrote {output}, as a partial result: the result itself is in its `skyscan_result`")
    if as_json:
        print_json(answer)
    else:
        show(MAPS, answer["skyscan_result"].items())


def fetch_result(client: Client, scan_id: str, *, include_deleted: bool = False) -> Json:
    """The answer of GET result.

    Raises:
        CommandError: there is no result yet.
    """
    answer = client.result(scan_id, include_deleted=include_deleted)
    if not answer.get("skyscan_result"):
        raise CommandError(f"Scan {scan_id} has no result yet; see `skydriver status {scan_id}`.")
    if not answer.get("is_final"):
        say(PARTIAL, style="yellow")
    return answer


def write_result(document: Json, path: Path) -> None:
    """Write a result: what skyreader's `SkyScanResult.read_json` reads, or the service's answer around it."""
    write_file(path, json.dumps(document).encode())


MAPS = (
    Column("map", lambda part: part[0]),
    Column("pixels", lambda part: len(part[1]["data"])),
    Column("least_-ln_L", lambda part: _least(part[1])),
)


def _least(nside: Json) -> str | None:
    column = nside["columns"].index("llh")
    llhs = [pixel[column] for pixel in nside["data"] if isinstance(pixel[column], int | float)]
    return f"{min(llhs):.3f}" if llhs else None
