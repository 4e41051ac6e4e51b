"""`result`: what a scan has found, as data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli.client import Client, Json
from skydriver.cli.context import JsonOption, ScanId, connect
from skydriver.cli.errors import CommandError
from skydriver.cli.screen import out, print_json, row, say, table


def result(
    ctx: typer.Context,
    scan_id: ScanId,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the result there, in skyreader's format."),
    ] = None,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Even if the scan is deleted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Get a scan's result; a partial one while it runs."""
    with connect(ctx) as client:
        answer = fetch_result(client, scan_id, include_deleted=include_deleted)
    if output is not None:
        write_result(answer["skyscan_result"], output)
        say(f"wrote {output}")
    if as_json:
        print_json(answer)
    else:
        _summarize(answer)


def fetch_result(client: Client, scan_id: str, *, include_deleted: bool = False) -> Json:
    """The answer of GET result.

    Raises:
        CommandError: there is no result yet.
    """
    answer = client.result(scan_id, include_deleted=include_deleted)
    if not answer.get("skyscan_result"):
        raise CommandError(f"Scan {scan_id} has no result yet; see `skydriver status {scan_id}`.")
    if not answer.get("is_final"):
        say("This result is partial: the scan has not finished.", style="yellow")
    return answer


def write_result(skyscan_result: Json, path: Path) -> None:
    """Write what skyreader's `SkyScanResult.read_json` reads."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(skyscan_result), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error


def _summarize(answer: Json) -> None:
    shown = table("", "map", "pixels", "best -ln L")
    for name, nside in answer["skyscan_result"].items():
        column = nside["columns"].index("llh")
        llhs = [pixel[column] for pixel in nside["data"] if isinstance(pixel[column], int | float)]
        row(shown, name, len(nside["data"]), f"{min(llhs):.3f}" if llhs else None)
    out.print(shown)
