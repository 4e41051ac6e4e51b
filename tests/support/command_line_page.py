"""Writes docs/command-line.md of what `skydriver --help` says: `make docs`; a test holds the two together."""

import inspect
import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer.main

from skydriver.cli.main import COMMANDS, app
from skydriver.cli.manual import EXIT_CODES, MANUAL
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "command-line.md"
HEAD = """\
# The command line

<!-- Written by `make docs` from the help of the commands: change it there. -->

`skydriver COMMAND --help` says the same at a terminal. Answers go to stdout, all other words to stderr;
every command prints JSON with `--json`. A scan is named by its id, or by a beginning of it, four digits or
more. Times are in UTC. At a terminal, tables show the columns that it has room for; a pipe or a file gets a
line a row, with tabs between the columns, whole ids and times in ISO 8601. `NO_COLOR=1` takes the colours
away.

`skydriver --install-completion` lets your shell complete commands, options and the ids of the newest scans.
"""


def command(name: str) -> Any:
    """Return a command as the parser knows it."""
    found: Any = typer.main.get_command(app)
    for word in name.split():
        found = found.commands[word]
    return found


def parse(name: str, words: list[str]) -> None:
    """Parse a command's arguments, and run nothing.

    Raises:
        typer's errors of wrong usage.
    """
    command(name).make_context(name, words)


def examples() -> list[tuple[str, list[str]]]:
    """List the arguments of every example of the manual, by the command's name."""
    found = []
    for name, entry in MANUAL.items():
        for line in entry.examples:
            for part in re.findall(r"skydriver ((?:(?!skydriver )[^|)>])*)", line):
                words = shlex.split(part)
                if words[0] == "--url":
                    words = words[2:]
                depth = 2 if " ".join(words[:2]) in MANUAL else 1
                found.append((" ".join(words[:depth]), words[depth:]))
            assert any(own == name for own, _ in found), f"no example of {name}"
    return found


def page() -> str:
    """Write the page."""
    return "\n".join(
        [HEAD, *_overview(), *_general(), *(line for name in COMMANDS for line in _command(name))]
    )


def _overview() -> Iterator[str]:
    groups = dict.fromkeys(entry.group for entry in MANUAL.values())
    for group in groups:
        yield f"| {group} | |"
        yield "|---|---|"
        for name, entry in MANUAL.items():
            if entry.group == group:
                yield f"| [`{name}`](#skydriver-{name.replace(' ', '-')}) | {_cell(_paragraphs(name)[0])} |"
        yield ""


def _general() -> Iterator[str]:
    yield "## Options before the command, and exit codes"
    yield ""
    yield from _parameters(typer.main.get_command(app))
    yield "| exit code | what it means |"
    yield "|---|---|"
    for code, words in EXIT_CODES.items():
        yield f"| {code} | {words} |"
    yield ""


def _command(name: str) -> Iterator[str]:
    entry = MANUAL[name]
    found = command(name)
    yield f"## skydriver {name}"
    yield ""
    for paragraph in _paragraphs(name):
        yield paragraph
        yield ""
    arguments = " ".join(_metavar(one) for one in found.params if one.param_type_name == "argument")
    yield "```"
    yield f"skydriver {name} [OPTIONS] {arguments}".rstrip()
    yield "```"
    yield ""
    yield from _parameters(found)
    yield "```bash"
    for line, words in entry.examples.items():
        yield f"{line}    # {words}"
    yield "```"
    yield ""
    for code, words in entry.exit_codes.items():
        yield f"Exit code {code}: {words}."
        yield ""


def _paragraphs(name: str) -> list[str]:
    text = inspect.cleandoc(COMMANDS[name].__doc__ or "")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _parameters(found: Any) -> Iterator[str]:
    panels: dict[str, list[Any]] = {}
    for one in found.params:
        if one.name not in ("help", "install_completion", "show_completion"):
            panel = getattr(one, "rich_help_panel", None)
            kind = "Arguments" if one.param_type_name == "argument" else "Options"
            panels.setdefault(panel or kind, []).append(one)
    for panel, params in panels.items():
        yield f"| {panel} | | default |"
        yield "|---|---|---|"
        for one in params:
            yield f"| {_name(one)} | {_cell(one.help or '')} | {_cell(_default(one))} |"
        yield ""


def _name(one: Any) -> str:
    if one.param_type_name == "argument":
        return f"`{_metavar(one)}`"
    names = ", ".join([*one.opts, *one.secondary_opts])
    return f"`{names}`" if one.is_flag else f"`{names} {_metavar(one)}`"


def _metavar(one: Any) -> str:
    return str(one.metavar or one.type.name.upper())


def _default(one: Any) -> str:
    given = one.default
    if one.required:
        return "needed"
    if one.param_type_name == "option" and one.is_flag and given is not None:
        return (one.opts[0] if given else one.secondary_opts[0]) if one.secondary_opts else ""
    if given in (None, [], ()) or callable(given):
        return f"`{one.envvar}`" if one.envvar else ""
    if one.name == "event":
        return "the project's example"
    shown = (
        " ".join(map(str, given)) if isinstance(given, list | tuple) else str(getattr(given, "value", given))
    )
    return f"`{shown}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
