"""`stop`: abort a scan, or mark a completed one as deleted."""

from http import HTTPStatus
from typing import Annotated

import typer

from skydriver.cli.context import JsonOption, ScanId, connect
from skydriver.cli.errors import Refused
from skydriver.cli.screen import print_json, say


def stop(
    ctx: typer.Context,
    scan: ScanId,
    delete_completed: Annotated[
        bool, typer.Option("--delete-completed", help="Mark the scan as deleted even if it is completed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop a scan: its scanner and workers are removed, and it is marked as deleted."""
    with connect(ctx) as client:
        scan_id = client.whole_id(scan)
        try:
            answer = client.delete(scan_id, completed=delete_completed)
        except Refused as error:
            # Its only other argument is the id, which is right or unknown.
            if error.status == HTTPStatus.BAD_REQUEST and not delete_completed:
                raise Refused(error.status, f"{error}; here that is --delete-completed") from error
            raise
    if as_json:
        print_json(answer)
    else:
        say(
            f"Scan {scan_id} is stopped and marked as deleted; what it has is still there: "
            f'skydriver find --include-deleted --filter \'{{"scan_id": "{scan_id}"}}\''
        )
