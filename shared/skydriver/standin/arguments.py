"""The real scanner server's command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skydriver.standin.algorithms import ALGORITHMS
from skydriver.standin.refinement import Progression

DEFAULT_NSIDES = ("8:0", "64:12", "512:24")

DESCRIPTION = """\
A stand-in for the Skymap Scanner's server. It takes the same arguments, reports to SkyDriver the
same way and refines the map by the same rule, but its likelihood is made up: no result of it says
anything about the sky.
"""

EPILOG = """\
environment (times in seconds; an empty variable counts as unset):
  SKYSCAN_SKYDRIVER_ADDRESS, _AUTH, _SCAN_ID     where to report, as whom, about which scan
  SKYSCAN_PROGRESS_INTERVAL_SEC (60)             least time between two progress reports
  SKYSCAN_RESULT_INTERVAL_SEC (120)              least time between two result reports
  SKYSCAN_KILL_SWITCH_CHECK_INTERVAL (300)       how often to look whether the scan was stopped
  SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS (259200)       give up after so long without a reconstruction
  EWMS_PILOT_TASK_TIMEOUT (1800)                 limit of one reconstruction
  SKYSCAN_LOG (INFO), SKYSCAN_LOG_THIRD_PARTY (WARNING), SKYSCAN_MINI_TEST (false)
  SKYSCAN_STANDIN_HOST (127.0.0.1)               where workers reach the stand-in's pixel queue
No message broker is used: SKYSCAN_BROKER_* is ignored.
"""


class Arguments(NamedTuple):
    """The command line, checked."""

    client_startup_json: Path
    cache_dir: Path
    output_dir: Path | None
    reco_algo: str
    event_file: Path | None
    progression: Progression
    is_real_event: bool
    threshold: float


def parse(
    argv: Sequence[str],
    reports_to_skydriver: bool,
    *,
    program: str = "server",
    epilog: str = EPILOG,
    makes_folders: bool = False,
) -> Arguments:
    """Read the command line; prints a message and exits with status 2 if it is wrong.

    Without a SkyDriver to report to, an event file and an output directory are needed.

    Args:
        argv: the arguments.
        reports_to_skydriver: whether there is a SkyDriver.
        program: the module that is run, below this package.
        epilog: of the help.
        makes_folders: whether folders that do not exist are made.
    """
    parser = _parser(program, epilog, makes_folders)
    given = parser.parse_args(argv)
    try:
        progression = Progression.parse(given.nsides)
    except ValueError as error:
        parser.error(f"argument --nsides: {error}")
    if not reports_to_skydriver:
        if given.output_dir is None:
            parser.error("without SKYSCAN_SKYDRIVER_ADDRESS the argument -o/--output-dir is needed")
        if given.event_file is None:
            parser.error("without SKYSCAN_SKYDRIVER_ADDRESS the argument -e/--event-file is needed")
    return Arguments(
        given.client_startup_json,
        given.cache_dir,
        given.output_dir,
        given.reco_algo,
        None if reports_to_skydriver else given.event_file,
        progression,
        given.real_event,
        given.predictive_scanning_threshold,
    )


def _parser(program: str, epilog: str, makes_folders: bool) -> argparse.ArgumentParser:
    folder, file_to_write = (_new_folder, _new_file) if makes_folders else (_folder, _file_to_write)
    exists = "is made if need be" if makes_folders else "must exist"
    parser = argparse.ArgumentParser(
        prog=f"python -m skydriver.standin.{program}",
        description=DESCRIPTION,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--client-startup-json",
        type=file_to_write,
        required=True,
        metavar="PATH",
        help=f"the file to write for the workers; its folder {exists}",
    )
    add(
        "-c",
        "--cache-dir",
        type=folder,
        required=True,
        metavar="DIR",
        help=f"a folder ({exists}) that a folder for the event is made in",
    )
    add(
        "-o",
        "--output-dir",
        type=folder,
        metavar="DIR",
        help=f"a folder ({exists}) to write the result and the last progress report to",
    )
    add(
        "--reco-algo",
        choices=tuple(ALGORITHMS),
        required=True,
        metavar="NAME",
        help=f"one of {', '.join(ALGORITHMS)}",
    )
    add(
        "-e",
        "--event-file",
        type=_event_file,
        metavar="FILE",
        help="realtime event JSON; not looked at when SkyDriver has the event",
    )
    add(
        "-g",
        "--gcd-dir",
        type=_folder,
        metavar="DIR",
        help="baseline GCD files; must exist if given, and is of no further use to a stand-in",
    )
    add(
        "--nsides",
        nargs="*",
        default=DEFAULT_NSIDES,
        metavar="NSIDE:EXTENSION",
        help=f"the progression of nsides (default: {' '.join(DEFAULT_NSIDES)})",
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--real-event", action="store_true", help="the event was measured")
    kind.add_argument("--simulated-event", action="store_true", help="the event was simulated")
    add(
        "--predictive-scanning-threshold",
        type=_threshold,
        default=1.0,
        metavar="PART",
        help="go on to the next nside once this part of one is done, in [0.1, 1.0] (default: 1.0);"
        " as in the real scanner, exactly 0.1 is taken and then crashes after the first report",
    )
    return parser


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no existing folder")
    return path


def _file_to_write(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"the folder of {text!r} does not exist")
    return path


def _new_folder(text: str) -> Path:
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"the folder {text!r} cannot be made: {error.strerror}") from None
    return Path(text)


def _new_file(text: str) -> Path:
    _new_folder(str(Path(text).parent))
    return Path(text)


def _event_file(text: str) -> Path:
    path = Path(text)
    if path.suffix == ".pkl":
        raise argparse.ArgumentTypeError("a stand-in loads no pickles: give it the event's JSON")
    if path.suffix != ".json":
        raise argparse.ArgumentTypeError(f"{text!r} is no .json file")
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return path


def _threshold(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0.1 <= part <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not in [0.1, 1.0]")
    return part
