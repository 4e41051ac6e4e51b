"""`workers add`: more workers for a scan."""

from typing import Annotated

import typer

from skydriver.cli.arguments import read_clusters
from skydriver.cli.context import JsonOption, ScanId, connect
from skydriver.cli.screen import print_json, say


def add(
    ctx: typer.Context,
    scan: ScanId,
    cluster: Annotated[
        list[str],
        typer.Argument(metavar="NAME=N...", help="Worker clusters, each with a number of workers."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Give a scan more workers, beside those that it has; at once where it has workers already."""
    asked = read_clusters(cluster, "NAME=N")
    with connect(ctx) as client:
        scan = client.whole_id(scan)
        answer = client.add_workers(scan, asked)
    if as_json:
        print_json(answer)
    else:
        more = ", ".join(f"{count} on {name}" for name, count in asked)
        say(f"Scan {scan} gets more workers: {more}. See them with `skydriver status {scan}`.")
