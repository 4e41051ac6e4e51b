"""`demo`: from nothing to a skymap in one command."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer

from skydriver.cli.address import Address
from skydriver.cli.arguments import read_event, read_nsides
from skydriver.cli.client import Client, Json
from skydriver.cli.commands.result import fetch_result, write_result
from skydriver.cli.commands.scan import follow_to_the_end, require_success
from skydriver.cli.commands.skymap import tell_summary
from skydriver.cli.context import JsonOption
from skydriver.cli.errors import CommandError
from skydriver.cli.follow import changes
from skydriver.cli.hosting import Stopping, host
from skydriver.cli.products import OfResult, keep
from skydriver.cli.request_options import MAX_PIXEL_RECO_TIME_SECONDS, RECO_ALGO
from skydriver.cli.screen import print_json, say

EXAMPLE = Path(__file__).parents[4] / "examples" / "IC170922A.json"
NSIDES = "8:0 64:12"
WORKERS = 2


def demo(
    event: Annotated[
        Path,
        typer.Argument(metavar="EVENT.json", help="Default: the project's example.", dir_okay=False),
    ] = EXAMPLE,
    output: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Where result, map and pictures go.", file_okay=False),
    ] = Path("demo"),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Keep the service's data there; default: not at all.",
            file_okay=False,
        ),
    ] = None,
    nsides: Annotated[
        list[str], typer.Option(metavar="N:EXT", help="Nside progression; in one string or repeated.")
    ] = [NSIDES],  # noqa: B006 - typer copies it
    as_json: JsonOption = False,
) -> None:
    """Start everything, scan an example event, draw its skymap, and stop everything."""
    request = example_request(event, nsides)

    def scan(url: str, stopping: Stopping) -> Json:
        with Client(Address(url, "this demo"), pause=stopping.pause) as client:
            return _scan(client, request, stopping)

    say("Starting MongoDB, S3, the broker and every function …")
    with _data_folder(data) as folder:
        skyscan_result = host(folder, scan)
    say("Drawing the skymap …")
    source = OfResult(skyscan_result, final=True)
    full_sky = source.product("png", {"view": "full"})
    made = [full_sky, source.product("png", {"view": "zoom"}), source.product("fits", {})]
    # Beside its pictures, under the same name.
    path = output / f"{full_sky.name.removesuffix('.full-sky.png')}.json"
    write_result(skyscan_result, path)
    files = [path, *(keep(product, output) for product in made)]
    for file in files:
        say(f"wrote {file}")
    summary = orjson.loads(source.product("summary", {}).content)
    if as_json:
        print_json({"files": [str(file) for file in files], "summary": summary})
    else:
        tell_summary(summary)
    say("The scanner was a stand-in: its likelihood is made up, and this map says nothing about the sky.")


def example_request(event: Path = EXAMPLE, nsides: Sequence[str] = (NSIDES,)) -> Json:
    """Make the request of a small scan by the local service's stand-in.

    Raises:
        CommandError: the event cannot be read.
        WrongUsage: the progression is none.
    """
    return {
        "docker_tag": "latest",
        "cluster": [("local", WORKERS)],
        "reco_algo": RECO_ALGO,
        "event_i3live_json": read_event(event),
        "nsides": read_nsides(nsides),
        "real_or_simulated_event": "real",
        "max_pixel_reco_time": MAX_PIXEL_RECO_TIME_SECONDS,
        "classifiers": {"demo": True},
    }


@contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="skydriver-demo-") as folder:
        yield Path(folder)


def _scan(client: Client, request: Json, stopping: Stopping) -> Json:
    """Scan from the request to the tear-down: the serialized result."""
    scan_id = str(client.submit(request)["scan_id"])
    say(f"Scan {scan_id} is submitted.")
    require_success(follow_to_the_end(client, [scan_id], stopping.pause))
    answer = fetch_result(client, scan_id)
    if not answer.get("is_final"):
        raise CommandError(f"Scan {scan_id} has finished without a final result.")
    for _ in changes(client, [scan_id], lambda s: s.phase == "ENDED", stopping.pause):
        pass
    say("Its scanner and workers are gone.")
    return dict(answer["skyscan_result"])
