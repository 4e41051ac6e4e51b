"""`python -m tests.bench [ROW ...]`: measures, and writes the table and the plot."""

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.bench import report
from tests.bench.rows import Row, all_rows
from tests.bench.stage import stage


async def _measure(rows: list[Row], chosen: list[Row], rounds: int | None, keep: bool) -> list[str]:
    """Measure rows one after the other, and return those that could not be: a component is missing, say."""
    figures = report.read()
    failed = []
    for row in chosen:
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder:
                async with stage(Path(folder)) as found:
                    figures[row.name] = await row.run(found, rounds or row.rounds)
        except Exception:
            print(f"\n{row.name}: not measured")
            traceback.print_exc()
            failed.append(row.name)
            continue
        print(f"\n{row.name}: {time.monotonic() - started:.0f} s")
        print(report.table([row], figures), flush=True)
        if keep:
            report.write(rows, figures)
    return failed


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
    if failed := asyncio.run(_measure(rows, chosen, asked.rounds, keep=not asked.dry)):
        sys.exit(f"not measured, for the reasons above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
