"""The options by which `scan` and `rescan` say what is asked for, and the request that they make."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from skydriver.cli.arguments import read_clusters, read_labels, read_nsides, read_pairs

# The scanner's own defaults where it has them, a small scan on this machine else.
NSIDES = "8:0 64:12 512:24"
CLUSTER = "local=2"
RECO_ALGO = "millipede_wilks"
MAX_PIXEL_RECO_TIME_SECONDS = 20 * 60
"""Less than the 30 minutes after which RabbitMQ takes a pixel back by default."""

WHAT = "What is scanned"
WORKERS = "Workers and scanner server"
LABELS = "Priority and labels"
AFTERWARDS = "Afterwards"

Nsides = Annotated[
    list[str] | None,
    typer.Option(metavar="N:EXT", help="Nside progression; in one string or repeated.", rich_help_panel=WHAT),
]
DockerTag = Annotated[
    str | None, typer.Option(metavar="TAG", help="Tag of the Skymap Scanner image.", rich_help_panel=WHAT)
]
RecoAlgo = Annotated[
    str | None, typer.Option(metavar="NAME", help="Reconstruction algorithm.", rich_help_panel=WHAT)
]
Real = Annotated[
    bool | None, typer.Option("--real/--simulated", help="What the event is.", rich_help_panel=LABELS)
]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="PART", help="Part of an nside that starts the next one, 0.1 to 1.", rich_help_panel=WHAT
    ),
]
Clusters = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=N", help="Worker cluster and number of workers; repeatable.", rich_help_panel=WORKERS
    ),
]
MaxPixelRecoTime = Annotated[
    int | None,
    typer.Option(metavar="SECONDS", help="Longest that one pixel may take.", rich_help_panel=WORKERS),
]
MaxWorkerRuntime = Annotated[
    int | None,
    typer.Option(metavar="SECONDS", help="Longest that one worker may run.", rich_help_panel=WORKERS),
]
FirstMessageTimeout = Annotated[
    int | None,
    typer.Option(
        metavar="SECONDS", help="Longest that a worker waits for its first pixel.", rich_help_panel=WORKERS
    ),
]
ServerMemory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory of the scanner server, such as 1024M.", rich_help_panel=WORKERS
    ),
]
WorkerMemory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory of each worker.", rich_help_panel=WORKERS)
]
WorkerDisk = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Disk of each worker.", rich_help_panel=WORKERS)
]
ServerEnv = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="Environment of the scanner server; repeatable.", rich_help_panel=WORKERS
    ),
]
DebugMode = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODE",
        help="client-logs collects the workers' logs.",
        autocompletion=lambda: ["client-logs"],
        rich_help_panel=WORKERS,
    ),
]
Priority = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Higher goes first; from 100 on, at once (realtime alerts).", rich_help_panel=LABELS
    ),
]
Classifiers = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="A label of your own; repeatable.", rich_help_panel=LABELS),
]
NoFollow = Annotated[
    bool, typer.Option("--no-follow", help="Submit, print the id, and leave.", rich_help_panel=AFTERWARDS)
]


AS_GIVEN = (
    "docker_tag",
    "reco_algo",
    "predictive_scanning_threshold",
    "max_pixel_reco_time",
    "max_worker_runtime",
    "scanner_server_memory",
    "worker_memory",
    "worker_disk",
    "debug_mode",
    "priority",
    # Of a rescan:
    "abort_first",
    "replace_scan",
)
"""Arguments of the service that are called as the parameters of the commands, and sent as they are given."""


def read_request(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make the arguments that the service takes of the parameters of `scan` or `rescan`.

    What was not given is left out: the service knows its own defaults, and those of a rescan.

    Raises:
        typer.BadParameter: a value cannot be read.
    """
    real, cluster, nsides = given["real"], given["cluster"], given["nsides"]
    request = {
        "cluster": read_clusters(cluster) if cluster else None,
        "nsides": read_nsides(nsides) if nsides else None,
        "real_or_simulated_event": None if real is None else "real" if real else "simulated",
        "classifiers": read_labels(given["classifier"] or (), "--classifier"),
        "scanner_server_env": read_pairs(given["scanner_server_env"] or (), "--scanner-server-env"),
        "skyscan_mq_client_timeout_wait_for_first_message": given["first_message_timeout"],
        **{name: given.get(name) for name in AS_GIVEN},
    }
    return {name: value for name, value in request.items() if not _is_left_out(value)}


def _is_left_out(value: object) -> bool:
    return value is None or value is False or value in ({}, [], ())
