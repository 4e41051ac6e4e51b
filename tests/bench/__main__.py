"""`python -m tests.bench [ROW ...]`: measures, and writes the table and the plot."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench import report
from tests.bench.rows import Row, all_rows
from tests.bench.stage import stage


async def _measure(rows: list[Row], chosen: list[Row], rounds: int | None, keep: bool) -> None:
    figures = report.read()
    for row in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            async with stage(Path(folder)) as found:
                figures[row.name] = await row.run(found, rounds or row.rounds)
        print(f"\n{row.name}: {time.monotonic() - started:.0f} s")
        print(report.table([row], figures), flush=True)
        if keep:
            report.write(rows, figures)


def main() -> None:
    """Measure what the command line asks for."""
    rows = all_rows()
    names = [row.name for row in rows]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*names, []], metavar="ROW", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="how often each thing is measured")
    parser.add_argument("--dry", action="store_true", help="leave the README and the plot as they are")
    asked = parser.parse_args()
    chosen = [row for row in rows if not asked.rows or row.name in asked.rows]
    asyncio.run(_measure(rows, chosen, asked.rounds, keep=not asked.dry))


if __name__ == "__main__":
    main()
