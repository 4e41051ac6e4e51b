"""The stand-in's client since v4, which does one pixel: ``python -m skydriver.standin.v4.client``.

Exit status: 0 if the answer was written; 1 for a pixel, a startup file or an environment that makes no sense,
and wherever crash_dummy fails; 2 for a wrong command line. Standard library only: one process a pixel.
"""

import argparse
import json
import logging
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skydriver.standin.settings import SettingsError, level
from skydriver.standin.surface import evaluate
from skydriver.standin.v4.messages import BadMessage, PixelTask, read_pixel, write_answer

logger = logging.getLogger("skydriver.standin.v4.client")

CRASH_PROBABILITY = "_SKYSCAN_CI_CRASH_DUMMY_PROBABILITY"
HANG_SECONDS = 10.0**6

DESCRIPTION = """\
The client of the stand-in for the Skymap Scanner, for one pixel. It fits nothing: what it writes is a point
of the made-up likelihood that its server describes.
"""

EPILOG = f"""\
environment:
  SKYSCAN_LOG (INFO)
  {CRASH_PROBABILITY} (0.5)   of crash_dummy to fail or hang
"""


class PixelError(Exception):
    """The pixel cannot be done."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do the pixel; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m skydriver.standin.v4.client",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, what in (
        ("infile", "the pixel, as the server sent it"),
        ("outfile", "the answer; must not exist"),
        ("client-startup-json", "the file that the server wrote"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=what)
    arguments = parser.parse_args(argv)
    try:
        log_level = level(os.environ, "SKYSCAN_LOG", "INFO")
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=log_level)
        _read_startup(arguments.client_startup_json)
        _do(arguments.infile, arguments.outfile)
    except (OSError, ValueError, BadMessage, PixelError, SettingsError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _read_startup(path: Path) -> None:
    content: Any = json.loads(path.read_bytes())
    if not isinstance(content, dict) or "GCDQp_packet" not in content:
        raise PixelError(f"{path} is no startup file: it lacks GCDQp_packet")
    if not isinstance(content.get("baseline_GCD_file"), str):
        # So does the real client, which makes a path of it.
        raise PixelError(f"{path} names no baseline_GCD_file")


def _do(infile: Path, outfile: Path) -> None:
    if outfile.exists():
        raise PixelError(f"there is a file {outfile} already")
    task = read_pixel(json.loads(infile.read_bytes()))
    logger.info("A stand-in does nside %d, pixel %d, variation %d", *task.reco)
    began = time.monotonic()
    _spend_time(task)
    fit = evaluate(task.surface, task.algorithm, task.reco, task.variations, task.ra, task.dec)
    folder = outfile.parent / f"nside{task.reco.nside:06d}"
    folder.mkdir(exist_ok=True)
    (folder / f"pix{task.reco.ipix:012d}.i3").write_text("A stand-in makes no frames.\n")
    outfile.write_text(json.dumps(write_answer(task.reco, fit, time.monotonic() - began)))


def _spend_time(task: PixelTask) -> None:
    if task.algorithm == "crash_dummy" and _chance(float(os.environ.get(CRASH_PROBABILITY) or 0.5)):
        if _chance(0.5):
            raise PixelError("crash_dummy failed, as it sometimes does")
        logger.warning("crash_dummy hangs, as it sometimes does")
        time.sleep(HANG_SECONDS)
    time.sleep(task.seconds)


def _chance(probability: float) -> bool:
    return random.random() < probability  # noqa: S311 - dice, no secret


if __name__ == "__main__":
    sys.exit(main())
