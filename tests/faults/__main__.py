"""Breaks things for as long as is asked: `make faults DURATION=1800 SEED=7`.

    python -m tests.faults --seconds 60 [--seed N] [--scans N] [--keep FOLDER]

Exit code 1 if anything that must hold did not.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.faults.campaign import Plan, run, table


def main() -> int:
    """Run it, and print the table."""
    parser = argparse.ArgumentParser(prog="tests.faults")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--scans", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="where logs and the database stay")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    plan = Plan(seed=given.seed, seconds=given.seconds, most_scans=given.scans)
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        outcome = asyncio.run(run(plan, given.keep or Path(scratch)))
    print(table(outcome))
    return 1 if outcome.verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
