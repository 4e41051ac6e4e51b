"""The `skydriver` command: its options, its commands, and what becomes of errors."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from skydriver.cli.commands import inspect, moving, scan, skymap, subscriptions, workers
from skydriver.cli.commands.check import check
from skydriver.cli.commands.demo import demo
from skydriver.cli.commands.login import login
from skydriver.cli.commands.open import open_
from skydriver.cli.commands.result import result
from skydriver.cli.commands.status import status
from skydriver.cli.commands.stop import stop
from skydriver.cli.commands.up import up
from skydriver.cli.context import Options
from skydriver.cli.manual import EXIT_CODES, MANUAL, epilog, flowing
from skydriver.cli.outcome import Group, installed_version

COMMANDS: Mapping[str, Callable[..., None]] = {
    "scan": scan.scan,
    "rescan": scan.rescan,
    "follow": scan.follow,
    "status": status,
    "workers add": workers.add,
    "stop": stop,
    "find": inspect.find,
    "backlog": inspect.backlog,
    "history": inspect.history,
    "logs": inspect.logs,
    "request": inspect.request,
    "event": inspect.event,
    "subscribe": subscriptions.subscribe,
    "subscriptions list": subscriptions.list_,
    "subscriptions show": subscriptions.show_,
    "subscriptions test": subscriptions.test,
    "subscriptions renew": subscriptions.renew,
    "subscriptions activate": subscriptions.activate,
    "subscriptions rotate": subscriptions.rotate,
    "subscriptions remove": subscriptions.remove,
    "result": result,
    "summary": skymap.summary,
    "plot": skymap.plot,
    "fits": skymap.fits,
    "contours": skymap.contours,
    "moc": skymap.moc,
    "notice": skymap.notice,
    "up": up,
    "open": open_,
    "demo": demo,
    "login": login,
    "check": check,
    "import": moving.import_,
    "export": moving.export,
}

app = typer.Typer(
    name="skydriver",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="\n".join(
        ["[bold]Exit codes[/bold]", *(f"{code:>3}  {words}" for code, words in EXIT_CODES.items())]
    ),
)
GROUPS: Mapping[str, typer.Typer] = {
    "workers": typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Change a scan's workers."),
    "subscriptions": typer.Typer(
        no_args_is_help=True, rich_markup_mode="rich", help="See and change your subscriptions."
    ),
}
"""Commands of two words, by the first of them."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"skydriver {installed_version()}")
        raise typer.Exit


@app.callback(
    help="SkyDriver turns a neutrino event into a skymap: submit scans, follow them, plot their results.\n\n"
    "Answers go to stdout, all other words to stderr. Every command prints JSON with --json. A scan is named "
    "by its id, or by a beginning of it of four digits or more."
)
def options(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
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


for name, command in COMMANDS.items():
    group, _, word = name.rpartition(" ")
    (GROUPS[group] if group else app).command(
        word,
        help=flowing(command.__doc__ or ""),
        epilog=epilog(name),
        rich_help_panel=None if group else MANUAL[name].group,
    )(command)
    if group and not any(GROUPS[group] is known.typer_instance for known in app.registered_groups):
        app.add_typer(GROUPS[group], name=group, rich_help_panel=MANUAL[name].group)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
