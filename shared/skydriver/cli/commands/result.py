"""`result` and `plot`: what a scan has found, as data and as pictures."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from skydriver.cli.arguments import read_json_file
from skydriver.cli.client import Client, Json
from skydriver.cli.context import JsonOption, ScanId, connect
from skydriver.cli.errors import CommandError
from skydriver.cli.plot import Skymap, plot_result
from skydriver.cli.screen import clean, out, print_json, row, say, table


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


def plot(
    ctx: typer.Context,
    scan: Annotated[str, typer.Argument(metavar="ID|FILE", help="A scan's id, or a file with its result.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the PNGs go.", file_okay=False)
    ] = Path(),
    keep_all: Annotated[
        bool, typer.Option("--all", help="Keep skyreader's PDFs, FITS maps and contours too.")
    ] = False,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Even if the scan is deleted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Draw a scan's skymap: the full sky, and the region around the best fit."""
    if Path(scan).is_file():
        skyscan_result = _read_result(Path(scan))
    else:
        with connect(ctx) as client:
            skyscan_result = fetch_result(client, scan, include_deleted=include_deleted)["skyscan_result"]
    if not as_json:
        say("Drawing the skymap …")
    skymap = plot_result(skyscan_result, output, keep_all=keep_all)
    if as_json:
        print_json(_as_json(skymap))
    else:
        tell_skymap(skymap)


def _read_result(path: Path) -> Json:
    """A file of `skydriver result -o`, or one that holds the whole answer of GET result."""
    document = read_json_file(path, "FILE")
    inner = document.get("skyscan_result", document)
    return inner if isinstance(inner, dict) else {}


def tell_skymap(skymap: Skymap) -> None:
    """Say where the best fit is and which files were written."""
    out.print(f"best fit: RA {skymap.ra_deg:.2f}°, Dec {skymap.dec_deg:+.2f}°")
    for path in skymap.files:
        say(f"wrote {path}")
    if skymap.omitted:
        say(clean(skymap.omitted), style="yellow")


def _as_json(skymap: Skymap) -> dict[str, Any]:
    return {
        "best_fit": {"ra_deg": skymap.ra_deg, "dec_deg": skymap.dec_deg},
        "files": [str(path) for path in skymap.files],
        "omitted": skymap.omitted,
    }
