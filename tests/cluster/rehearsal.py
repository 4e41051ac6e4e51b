"""Runs what `docs/operate.md` says: its blocks marked `sh`, in order, on the cluster in a box."""

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "operate.md"
_HEADING = re.compile(r"(#{2,3}) (.*)")
_FENCE = re.compile(r"\s*```(\w*)\s*")


@dataclass(frozen=True)
class Block:
    """A block of the page.

    Attributes:
        section: the heading (`##`) that it stands below.
        kind: what the fence says: `sh`, `text`, ...
        line: of its fence.
        text: its content.
    """

    section: str
    kind: str
    line: int
    text: str


def blocks(page: Path = PAGE) -> Iterator[Block]:
    """Find the fenced blocks of a page."""
    section, kind, began = "", "", 0
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if began and fence:
            yield Block(section, kind, began, textwrap.dedent("\n".join(lines)))
            began = 0
        elif began:
            lines.append(line)
        elif fence:
            kind, began, lines = fence[1], number, []
        elif (heading := _HEADING.fullmatch(line)) and heading[1] == "##":
            section = heading[2]


def run(
    section: str,
    which: slice = slice(None),
    *,
    folder: Path,
    environment: Mapping[str, str],
    substitutions: Mapping[str, str],
) -> list[Block]:
    """Run the `sh` blocks of a section; those that ran.

    Args:
        section: its heading.
        which: of its blocks.
        folder: where they run.
        environment: what is set beside this process's own variables.
        substitutions: what is put in the place of words of the page; each must be in it.

    Raises:
        RuntimeError: a block failed, with its place and its last words.
    """
    chosen = [block for block in blocks() if block.section == section and block.kind == "sh"][which]
    for block in chosen:
        text = block.text
        for word, other in substitutions.items():
            text = text.replace(word, other)
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        if ended.returncode:
            said = (ended.stdout + ended.stderr)[-3000:]
            raise RuntimeError(f"{PAGE.name}, line {block.line}: exit code {ended.returncode}\n{said}")
    return chosen
