"""`python -m skydriver.importing`: the import as a Job of the image, which has no `skydriver` command."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from skydriver.errors import SkyDriverError
from skydriver.importing.commands import SOURCE_VARIABLE, Asked, run_import, use_database
from skydriver.importing.masks import mask_text


def _say(sentence: str) -> None:
    sys.stdout.write(f"{mask_text(sentence)}\n")
    sys.stdout.flush()


def main() -> int:
    """Import; the exit code is 0 if all went well, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m skydriver.importing", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument(
        "--only", action="append", default=[], metavar="ID", help="only this scan; repeatable"
    )
    parser.add_argument("--verify", metavar="N|all", help="compare answers, and write nothing")
    parser.add_argument("--submit-backlog", action="store_true", help="ask anew for what waited")
    parser.add_argument("--ewms", type=Path, metavar="FILE", help="what EWMS says of workflows, as JSON")
    asked = parser.parse_args()
    source = os.environ.get(SOURCE_VARIABLE)
    if not source:
        parser.error(f"{SOURCE_VARIABLE} must be the URI of the other database")
    try:
        use_database(None)
        good, _ = asyncio.run(
            run_import(
                Asked(
                    source=source,
                    dry_run=asked.dry_run,
                    only=tuple(asked.only),
                    verify=asked.verify,
                    submit_backlog=asked.submit_backlog,
                    ewms=asked.ewms,
                ),
                _say,
            )
        )
    except SkyDriverError as error:
        _say(str(error))
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
