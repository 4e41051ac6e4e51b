"""`scan`, `rescan` and `follow`: submit events, and follow their scans to the end."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from skydriver.cli import request_options as options
from skydriver.cli.arguments import read_event
from skydriver.cli.client import Client, Json
from skydriver.cli.context import JsonOption, ScanId, complete_scan_id, connect
from skydriver.cli.errors import CommandError, Interrupted, Unreachable
from skydriver.cli.follow import Pause, follow_scans
from skydriver.cli.progress import Snapshot
from skydriver.cli.screen import clean, out, print_json, say, talk

# A scan may take days: a service that is away for a moment does not end the following.
TIMEOUT_SECONDS = 60.0


def scan(
    ctx: typer.Context,
    events: Annotated[
        list[Path],
        typer.Argument(metavar="EVENT.json...", help="Events, in the realtime JSON format.", dir_okay=False),
    ],
    nsides: options.Nsides = [options.NSIDES],  # noqa: B006 - typer copies it
    docker_tag: options.DockerTag = "latest",
    reco_algo: options.RecoAlgo = options.RECO_ALGO,
    real: options.Real = True,
    predictive_scanning_threshold: options.Threshold = None,
    cluster: options.Clusters = [options.CLUSTER],  # noqa: B006 - typer copies it
    max_pixel_reco_time: options.MaxPixelRecoTime = options.MAX_PIXEL_RECO_TIME_SECONDS,
    max_worker_runtime: options.MaxWorkerRuntime = None,
    first_message_timeout: options.FirstMessageTimeout = None,
    scanner_server_memory: options.ServerMemory = None,
    worker_memory: options.WorkerMemory = None,
    worker_disk: options.WorkerDisk = None,
    scanner_server_env: options.ServerEnv = None,
    debug_mode: options.DebugMode = None,
    priority: options.Priority = None,
    classifier: options.Classifiers = None,
    no_follow: options.NoFollow = False,
    as_json: JsonOption = False,
) -> None:
    """Scan events: submit each, follow their scans together, exit with 0 once all have finished successfully.

    With --json it prints the answer of the service: the manifest with --no-follow, else the last status.
    Of several events it prints an object with a list, `scans`, in which each has its `scan_id`.
    """
    request = options.read_request(ctx.params)
    requests = [{**request, "event_i3live_json": read_event(path)} for path in events]
    with connect(ctx, timeout_seconds=TIMEOUT_SECONDS) as client:
        manifests = _submit(client, zip(events, requests, strict=True))
        _go_on(client, manifests, no_follow=no_follow, as_json=as_json)


def _submit(client: Client, requests: Iterable[tuple[Path, Json]]) -> list[Json]:
    """Submit scans one after the other: their manifests. Where it ends before, it names those that go on.

    Args:
        client: of the service.
        requests: each with its event's file, which messages name.

    Raises:
        CommandError: one was not submitted.
        Interrupted: Ctrl-C; what was submitted goes on.
    """
    manifests: list[Json] = []
    for path, request in requests:
        try:
            manifests.append(client.submit(request))
        except CommandError as error:
            if manifests:
                say(
                    f"{path} is not submitted, nor what comes after it. These go on: {_ids(manifests, ', ')}",
                    style="yellow",
                )
            raise error
        except KeyboardInterrupt:
            # Its answer was not waited for: the service may have heard the request.
            sentence = (
                f"No longer submitting; {path} may be submitted all the same: `skydriver find` shows it."
            )
            if manifests:
                sentence += (
                    f" These go on: {_ids(manifests, ', ')}. See them: `skydriver follow "
                    f"{_ids(manifests, ' ')}`, end: `skydriver stop ID`."
                )
            raise Interrupted(sentence) from None
    return manifests


def _ids(manifests: Iterable[Json], separator: str) -> str:
    return separator.join(str(manifest["scan_id"]) for manifest in manifests)


def rescan(
    ctx: typer.Context,
    scan: ScanId,
    abort_first: Annotated[
        bool, typer.Option("--abort-first", help="Abort the earlier scan, if it is still going on.")
    ] = False,
    replace_scan: Annotated[
        bool, typer.Option("--replace", help="Lead users from the earlier scan to the new one.")
    ] = False,
    nsides: options.Nsides = None,
    docker_tag: options.DockerTag = None,
    reco_algo: options.RecoAlgo = None,
    real: options.Real = None,
    predictive_scanning_threshold: options.Threshold = None,
    cluster: options.Clusters = None,
    max_pixel_reco_time: options.MaxPixelRecoTime = None,
    max_worker_runtime: options.MaxWorkerRuntime = None,
    first_message_timeout: options.FirstMessageTimeout = None,
    scanner_server_memory: options.ServerMemory = None,
    worker_memory: options.WorkerMemory = None,
    worker_disk: options.WorkerDisk = None,
    scanner_server_env: options.ServerEnv = None,
    debug_mode: options.DebugMode = None,
    priority: options.Priority = None,
    classifier: options.Classifiers = None,
    no_follow: options.NoFollow = False,
    as_json: JsonOption = False,
) -> None:
    """Scan the event of a scan again, with what is to be different: whatever is not given is as it was."""
    changes = options.read_request(ctx.params)
    with connect(ctx, timeout_seconds=TIMEOUT_SECONDS) as client:
        manifest = client.rescan(client.whole_id(scan), changes)
        _go_on(client, [manifest], no_follow=no_follow, as_json=as_json)


def follow(
    ctx: typer.Context,
    scans: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="The scans' ids.", autocompletion=complete_scan_id),
    ],
    as_json: JsonOption = False,
) -> None:
    """Follow scans until all are complete; exit with 0 if all have finished successfully.

    With --json it prints an object with a list, `scans`: the status of each at the end, with its `scan_id`.
    """
    with connect(ctx, timeout_seconds=TIMEOUT_SECONDS) as client:
        # Each once, in the order given.
        scan_ids = list(dict.fromkeys(client.whole_id(scan) for scan in scans))
        ends = follow_to_the_end(client, scan_ids)
        if as_json:
            print_json({"scans": [{"scan_id": one, **client.status(one)} for one in scan_ids]})
    require_success(ends)


def _go_on(client: Client, manifests: Sequence[Json], *, no_follow: bool, as_json: bool) -> None:
    """Follow scans that were submitted, or leave, and print what was asked for."""
    scan_ids = [str(manifest["scan_id"]) for manifest in manifests]
    if no_follow:
        if as_json:
            print_json(manifests[0] if len(manifests) == 1 else {"scans": manifests})
        else:
            _print_ids(scan_ids)
        return
    for scan_id in scan_ids:
        say(f"Scan {scan_id} is submitted.")
    ends = follow_to_the_end(client, scan_ids)
    if not as_json:
        _print_ids(scan_ids)
    elif len(scan_ids) == 1:
        print_json(client.status(scan_ids[0]))
    else:
        print_json({"scans": [{"scan_id": one, **client.status(one)} for one in scan_ids]})
    require_success(ends)


def _print_ids(scan_ids: Sequence[str]) -> None:
    for scan_id in scan_ids:
        out.print(clean(scan_id), markup=False, soft_wrap=True)


def follow_to_the_end(
    client: Client, scan_ids: Sequence[str], pause: Pause | None = None
) -> dict[str, Snapshot]:
    """Show scans until they are complete: the last snapshot of each.

    It says how to go on where the following ends before.

    Raises:
        Interrupted: Ctrl-C; the scans go on.
        Unreachable: the service has gone away for too long; the scans may well go on.
    """
    one = len(scan_ids) == 1
    named = f"scan {scan_ids[0]}" if one else "the scans"
    try:
        return follow_scans(client, scan_ids, talk, **({"pause": pause} if pause else {}))
    except KeyboardInterrupt:
        again = " ".join(scan_ids)
        raise Interrupted(
            f"No longer following; {named} {'goes' if one else 'go'} on. "
            f"See them: `skydriver follow {again}`, "
            f"end: `skydriver stop {scan_ids[0] if one else 'ID'}`."
        ) from None
    except Unreachable as error:
        raise Unreachable(f"{error} {named[0].upper()}{named[1:]} may go on without us.") from error


def require_success(ends: Mapping[str, Snapshot]) -> None:
    """Say how scans have ended.

    Raises:
        CommandError: one of them not well, with the reason.
    """
    bad = []
    for scan_id, snapshot in ends.items():
        if snapshot.succeeded:
            say(f"Scan {scan_id} has finished successfully.", style="green")
            continue
        reason = clean(snapshot.reason) if snapshot.reason else "the service gives no reason"
        bad.append(f"Scan {scan_id} has not finished: {snapshot.state}: {reason}")
    for sentence in bad[:-1]:
        say(f"skydriver: {sentence}", style="red")
    if bad:
        raise CommandError(bad[-1])
