"""`import` and `export`: scans of another installation's database, and the way back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli.context import JsonOption
from skydriver.cli.errors import CommandError, WrongUsage
from skydriver.cli.screen import print_json, say
from skydriver.cli.secrets import keep_secret, masked

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        envvar="MONGODB_URI",
        metavar="URI",
        help="This installation's MongoDB, e.g. mongodb://HOST:PORT/DATABASE.",
    ),
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="Only this scan; repeatable.")]


def import_(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar="SKYDRIVER_IMPORT_FROM",
            metavar="URI",
            help="The other installation's MongoDB, which is only read; its database is SkyDriver_DB unless "
            "the URI names another.",
        ),
    ] = None,
    to: To = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would happen, and what cannot be read.")
    ] = False,
    only: Only = None,
    verify: Annotated[
        str | None,
        typer.Option(metavar="N|all", help="Compare the answers of N scans, or all; write nothing."),
    ] = None,
    submit_backlog: Annotated[
        bool,
        typer.Option(
            "--submit-backlog",
            help="Afterwards, ask for a new scan of each that waited there. Needs the settings of the "
            "installation.",
        ),
    ] = False,
    ewms: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What EWMS says of workflows, as JSON.", exists=True, dir_okay=False
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report here, too, as JSON.", dir_okay=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take the scans of a SkyDriver v1 (0.8 to 1.3.2) or v2 (to 2.4.1) database. It can be repeated."""
    # It knows the database's driver, which few commands need.
    from skydriver.importing.commands import Asked, run_import

    if not source:
        raise WrongUsage("--from or SKYDRIVER_IMPORT_FROM must be the URI of the other database")
    keep_secret(source)
    _use(to)
    asked = Asked(
        source=source,
        dry_run=dry_run,
        only=tuple(only or ()),
        verify=verify,
        submit_backlog=submit_backlog,
        ewms=ewms,
        report=report,
    )
    same, said = asyncio.run(run_import(asked, _tell))
    if as_json:
        print_json(said)
    if not same:
        raise CommandError("not all scans answer the same")


def export(
    folder: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the files go.", file_okay=False)
    ],
    to: To = None,
    only: Only = None,
    as_json: JsonOption = False,
) -> None:
    """Write scans as files for `mongoimport`, in the shape of SkyDriver v1.3.2."""
    from skydriver.importing.commands import run_export

    _use(to)
    exported = asyncio.run(run_export(folder, only or (), _tell))
    if as_json:
        print_json(exported.as_json())


def _use(uri: str | None) -> None:
    from skydriver.importing.commands import use_database

    if not uri:
        raise WrongUsage("--to or MONGODB_URI must be the URI of this installation's database")
    keep_secret(uri)
    use_database(uri)


def _tell(sentence: str) -> None:
    say(masked(sentence))
