"""The `skydriver` command: its options, its commands, and what becomes of errors."""

from typing import Annotated

import typer

from skydriver.cli.commands.check import check
from skydriver.cli.commands.demo import demo
from skydriver.cli.commands.inspect import backlog, find, history
from skydriver.cli.commands.login import login
from skydriver.cli.commands.moving import export, import_
from skydriver.cli.commands.result import result
from skydriver.cli.commands.scan import scan
from skydriver.cli.commands.skymap import contours, fits, moc, notice, plot, summary
from skydriver.cli.commands.status import status
from skydriver.cli.commands.stop import stop
from skydriver.cli.commands.up import up
from skydriver.cli.context import Options
from skydriver.cli.outcome import Group, installed_version

app = typer.Typer(
    name="skydriver",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 the scan failed or the service refused, 2 wrong usage, "
    "3 no service answers, 70 a fault of this program, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"skydriver {installed_version()}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="SKYDRIVER_URL",
            metavar="URL",
            help="The service's address; default: the one that `skydriver up` runs on this machine. "
            "SKYDRIVER_TOKEN, if set, is sent as its bearer token; else that of `skydriver login`.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """SkyDriver turns a neutrino event into a skymap: submit scans, follow them, plot their results."""
    ctx.obj = Options(url=url)


for command in (
    *(up, demo, login, scan, status, result),
    *(summary, plot, fits, contours, moc, notice),
    *(stop, find, backlog, history, check, export),
):
    app.command()(command)
app.command("import")(import_)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
