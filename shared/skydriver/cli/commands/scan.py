"""`scan`: submit an event and follow its scan to the end."""

from pathlib import Path
from typing import Annotated, Any

import typer

from skydriver.cli.arguments import read_clusters, read_event, read_labels, read_nsides, read_pairs
from skydriver.cli.client import Client
from skydriver.cli.context import JsonOption, connect
from skydriver.cli.errors import CommandError, Interrupted, Unreachable
from skydriver.cli.follow import Pause, follow
from skydriver.cli.progress import Snapshot
from skydriver.cli.screen import clean, out, print_json, say, talk

# The scanner's own defaults where it has them, a small scan on this machine else.
NSIDES = "8:0 64:12 512:24"
CLUSTER = "local=2"
RECO_ALGO = "millipede_wilks"
MAX_PIXEL_RECO_TIME_SECONDS = 30 * 60


def scan(
    ctx: typer.Context,
    event: Annotated[
        Path,
        typer.Argument(metavar="EVENT.json", help="The event, in the realtime JSON format.", dir_okay=False),
    ],
    nsides: Annotated[
        list[str], typer.Option(metavar="N:EXT", help="Nside progression; in one string or repeated.")
    ] = [NSIDES],  # noqa: B006 - typer copies it
    cluster: Annotated[
        list[str], typer.Option(metavar="NAME=N", help="Worker cluster and number of workers; repeatable.")
    ] = [CLUSTER],  # noqa: B006 - typer copies it
    docker_tag: Annotated[str, typer.Option(help="Tag of the Skymap Scanner image.")] = "latest",
    reco_algo: Annotated[str, typer.Option(help="Reconstruction algorithm.")] = RECO_ALGO,
    real: Annotated[bool, typer.Option("--real/--simulated", help="What the event is.")] = True,
    max_pixel_reco_time: Annotated[
        int, typer.Option(metavar="SECONDS", help="Longest that one pixel may take.")
    ] = MAX_PIXEL_RECO_TIME_SECONDS,
    priority: Annotated[
        int | None, typer.Option(help="Higher goes first; from 100 on, at once (realtime alerts).")
    ] = None,
    classifier: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label of your own; repeatable.")
    ] = None,
    predictive_scanning_threshold: Annotated[
        float | None, typer.Option(help="Part of an nside that starts the next one, 0.1 to 1.")
    ] = None,
    max_worker_runtime: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Longest that one worker may run.")
    ] = None,
    first_message_timeout: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Longest that a worker waits for its first pixel.")
    ] = None,
    scanner_server_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory of the scanner server, such as 1024M.")
    ] = None,
    worker_memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory of each worker.")] = None,
    worker_disk: Annotated[str | None, typer.Option(metavar="SIZE", help="Disk of each worker.")] = None,
    scanner_server_env: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Environment of the scanner server; repeatable."),
    ] = None,
    debug_mode: Annotated[
        list[str] | None, typer.Option(metavar="MODE", help="client-logs collects the workers' logs.")
    ] = None,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="Submit, print the id, and leave.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Scan an event: submit it, follow the scan, exit with 0 once it has finished successfully."""
    request: dict[str, Any] = {
        "docker_tag": docker_tag,
        "cluster": read_clusters(cluster),
        "reco_algo": reco_algo,
        "event_i3live_json": read_event(event),
        "nsides": read_nsides(nsides),
        "real_or_simulated_event": "real" if real else "simulated",
        "max_pixel_reco_time": max_pixel_reco_time,
    }
    # What was not given is left out: the service knows its own defaults.
    optional = {
        "priority": priority,
        "classifiers": read_labels(classifier or (), "--classifier"),
        "predictive_scanning_threshold": predictive_scanning_threshold,
        "max_worker_runtime": max_worker_runtime,
        "skyscan_mq_client_timeout_wait_for_first_message": first_message_timeout,
        "scanner_server_memory": scanner_server_memory,
        "worker_memory": worker_memory,
        "worker_disk": worker_disk,
        "scanner_server_env": read_pairs(scanner_server_env or (), "--scanner-server-env"),
        "debug_mode": debug_mode,
    }
    request |= {name: value for name, value in optional.items() if value not in (None, {}, [])}
    # A scan may take days: a service that is away for a moment does not end the following.
    with connect(ctx, timeout_seconds=60.0) as client:
        manifest = client.submit(request)
        scan_id = str(manifest["scan_id"])
        if no_follow:
            if as_json:
                print_json(manifest)
            else:
                out.print(scan_id)
            return
        snapshot = follow_to_the_end(client, scan_id)
        if as_json:
            print_json(client.status(scan_id))
    if not as_json:
        out.print(scan_id)
    require_success(scan_id, snapshot)


def follow_to_the_end(client: Client, scan_id: str, pause: Pause | None = None) -> Snapshot:
    """Show a scan until it is complete; say how to go on where the following ends before.

    Raises:
        Interrupted: Ctrl-C; the scan goes on.
        Unreachable: the service has gone away for too long; the scan may well go on.
    """
    say(f"Scan {scan_id} is submitted.")
    try:
        return follow(client, scan_id, talk, **({"pause": pause} if pause else {}))
    except KeyboardInterrupt:
        raise Interrupted(
            f"No longer following; scan {scan_id} goes on. See it with `skydriver status {scan_id}`, "
            f"end it with `skydriver stop {scan_id}`."
        ) from None
    except Unreachable as error:
        raise Unreachable(f"{error} Scan {scan_id} may go on without us.") from error


def require_success(scan_id: str, snapshot: Snapshot) -> None:
    """Say how a scan has ended.

    Raises:
        CommandError: not well, with the reason.
    """
    if not snapshot.succeeded:
        reason = clean(snapshot.reason) if snapshot.reason else "the service gives no reason"
        raise CommandError(f"Scan {scan_id} has not finished: {snapshot.state}: {reason}")
    say(f"Scan {scan_id} has finished successfully.", style="green")
