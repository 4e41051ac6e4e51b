"""`find`, `backlog`, `history`, `logs`, `request` and `event`: what the service knows."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from skydriver.cli.arguments import read_json_object, read_labels
from skydriver.cli.context import JsonOption, ScanId, connect, user_name
from skydriver.cli.files import write_file
from skydriver.cli.screen import clean, labelled, out, print_json, say
from skydriver.cli.tables import Column, choose, moment, scan_id, show
from skydriver.model.json_text import write_json

ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="NAMES", help="Columns to show, with commas between them.")
]
DeletedOption = Annotated[bool, typer.Option("--include-deleted", help="Deleted scans, too.")]


def _metadata(name: str) -> Any:
    return lambda manifest: (manifest.get("event_metadata") or {}).get(name)


def _state(manifest: dict[str, Any]) -> str:
    phase = str(manifest.get("phase") or "-")
    return f"{phase},deleted" if manifest.get("is_deleted") else phase


def _labels(manifest: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in (manifest.get("classifiers") or {}).items())


FOUND = (
    Column("scan", lambda m: scan_id(m.get("scan_id"))),
    Column("when", lambda m: moment(m.get("timestamp")), rank=1),
    Column("run", _metadata("run_id"), rank=3),
    Column("event", _metadata("event_id"), rank=2),
    Column("type", _metadata("event_type"), rank=5),
    Column("state", _state),
    Column("outcome", lambda m: m.get("outcome"), rank=1),
    Column("priority", lambda m: m.get("priority"), rank=4),
    Column("classifiers", _labels, rank=6),
    Column("submitter", lambda m: m.get("submitted_by"), is_default=False),
    Column("attempt", lambda m: m.get("attempt"), is_default=False),
    Column("updated", lambda m: moment(m.get("last_updated")), is_default=False),
    Column("replaced_by", lambda m: scan_id(m.get("replaced_by_scan_id") or "-"), is_default=False),
    Column("reason", lambda m: m.get("reason"), is_default=False),
)
WAITING = (
    Column("scan", lambda e: scan_id(e.get("scan_id"))),
    Column("when", lambda e: moment(e.get("timestamp")), rank=1),
    Column("priority", lambda e: e.get("priority"), rank=2),
    Column("refused", lambda e: e.get("next_attempt"), rank=2),
    Column("reason", lambda e: e.get("reason")),
)
FAILED = (
    Column("last", lambda t: moment(t.get("last"))),
    Column("times", lambda t: t.get("times"), rank=1),
    Column("function", lambda t: t.get("function"), rank=3),
    Column("cluster", lambda t: t.get("name"), rank=2),
    Column("reason", lambda t: t.get("reason")),
)


DELETED = "is_deleted"


def find(
    ctx: typer.Context,
    run: Annotated[int | None, typer.Option(help="Scans of events of this run.")] = None,
    event: Annotated[int | None, typer.Option(help="Scans of the event of this number.")] = None,
    classifier: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Scans with this classifier; repeatable.")
    ] = None,
    query: Annotated[
        str | None, typer.Option("--filter", metavar="JSON", help="A MongoDB filter on manifests.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Scans that you have submitted.")] = False,
    include_deleted: DeletedOption = False,
    columns: ColumnsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find scans by run, event, classifiers or any MongoDB filter; all of what is given must hold.

    The oldest scan stands first. Columns are scan, when, run, event, type, state, outcome, priority and
    classifiers; by --columns submitter, attempt, updated, replaced_by and reason, too. A terminal shows those
    that it has room for; a pipe gets one line a scan, with tabs between columns and whole ids, times in
    UTC.
    """
    chosen = choose(FOUND, columns)
    conditions: list[dict[str, Any]] = []
    if run is not None:
        conditions.append({"event_metadata.run_id": run})
    if event is not None:
        conditions.append({"event_metadata.event_id": event})
    labels = read_labels(classifier or (), "--classifier")
    conditions += [{f"classifiers.{key}": value} for key, value in labels.items()]
    if mine:
        conditions.append({"submitted_by": user_name(ctx)})
    if query is not None:
        conditions.append(read_json_object(query, "--filter"))
    with connect(ctx) as client:
        manifests = client.find(_all_of(conditions), include_deleted=include_deleted)
    if as_json:
        print_json({"manifests": manifests})
        return
    show(chosen, sorted(manifests, key=lambda m: m.get("timestamp") or 0))
    say(f"{len(manifests)} scan{'' if len(manifests) == 1 else 's'} found", style="dim")


def _all_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """One filter of several; flat where no key stands twice.

    `is_deleted` stands at the top either way: only there it tells the service not to leave deleted scans out.
    At most one condition, that of --filter, has it.
    """
    keys = [key for condition in conditions for key in condition]
    if len(keys) == len(set(keys)):
        return {key: value for condition in conditions for key, value in condition.items()}
    rest = [{key: value for key, value in one.items() if key != DELETED} for one in conditions]
    top = [{DELETED: one[DELETED]} for one in conditions if DELETED in one]
    return {"$and": [one for one in rest if one], **(top[0] if top else {})}


def backlog(ctx: typer.Context, columns: ColumnsOption = None, as_json: JsonOption = False) -> None:
    """Show the scans that wait for their start, the next one first, and why they wait.

    Columns are scan, when (it was asked for, in UTC), priority, refused (how often its start was), reason.
    """
    chosen = choose(WAITING, columns)
    with connect(ctx) as client:
        answer = client.backlog()
    if as_json:
        print_json(answer)
        return
    entries = answer["entries"]
    show(chosen, entries)
    say(f"{len(entries)} scan{'' if len(entries) == 1 else 's'} waiting", style="dim")


def history(ctx: typer.Context, scan: ScanId, as_json: JsonOption = False) -> None:
    """Show every transition of a scan: when, to which phase, why, and by which function. Times are in UTC."""
    with connect(ctx) as client:
        scan = client.whole_id(scan)
        answer = client.history(scan)
    if as_json:
        print_json(answer)
        return
    transitions = (
        Column("time", lambda step: moment(step.get("time"))),
        Column("phase", lambda step: step.get("phase")),
        # The id of an event, where it was one: it begins with the scan's own id, as all here do.
        Column("cause", lambda step: str(step.get("cause") or "").removeprefix(f"{scan}/"), rank=1),
        Column("function", lambda step: step.get("function"), rank=2),
        Column("reason", lambda step: step.get("reason")),
    )
    show(transitions, answer["history"], title=f"scan {clean(scan)}")
    show(FAILED, answer.get("failed_tries") or (), title="what has failed")


def logs(ctx: typer.Context, scan: ScanId, as_json: JsonOption = False) -> None:
    """Say where a scan's logs are: its scanner server's, and those of workers that were kept.

    Workers' logs are kept of scans with --debug-mode client-logs, once the workers have ended. Links to them
    are valid for an hour.
    """
    with connect(ctx) as client:
        answer = client.logs(client.whole_id(scan))
    if as_json:
        print_json(answer)
        return
    server = str((answer.get("scanner_server") or {}).get("url") or "")
    if server:
        labelled("server", "its logs are at")
        _print_link(server)
    else:
        labelled("server", "this service has no dashboard of logs")
    kept = answer.get("worker_clusters") or []
    if not kept:
        labelled("workers", "no logs are kept")
    for cluster in kept:
        labelled("workers", f"{cluster.get('name')}, of {cluster.get('n_workers')} workers:")
        _print_link(cluster.get("url") or cluster.get("reason") or "-")


def _print_link(link: str) -> None:
    """Print a link to be copied: it stands alone in its line, whole."""
    out.print(Text(clean(link)), soft_wrap=True)


def request(ctx: typer.Context, scan: ScanId, as_json: JsonOption = False) -> None:
    """Show what was asked for: the request of a scan, with its defaults filled."""
    with connect(ctx) as client:
        answer = client.request(client.whole_id(scan))
    if as_json:
        print_json(answer)
        return
    width = max(map(len, answer), default=0)
    for name, value in answer.items():
        words = value if isinstance(value, str) else write_json(value).decode()
        labelled(name, words or "-", label_width=width)


def event(
    ctx: typer.Context,
    scan: ScanId,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the event there.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a scan's event in the realtime JSON format, as `skydriver scan` reads it."""
    with connect(ctx) as client:
        answer = client.event(client.whole_id(scan))
    if output is not None:
        write_file(output, write_json(answer["i3_event"]))
        say(f"wrote {output}")
    if as_json:
        print_json(answer)
    elif output is None:
        print_json(answer["i3_event"])
