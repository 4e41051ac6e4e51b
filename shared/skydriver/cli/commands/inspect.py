"""`history`, `find` and `backlog`: what the service knows."""

from typing import Annotated, Any

import typer

from skydriver.cli.arguments import read_json_object, read_labels
from skydriver.cli.context import JsonOption, ScanId, connect, user_name
from skydriver.cli.screen import clean, out, print_json, row, say, table, when


def history(ctx: typer.Context, scan_id: ScanId, as_json: JsonOption = False) -> None:
    """Show every transition of a scan: when, to which phase, why, and by which function."""
    with connect(ctx) as client:
        answer = client.history(scan_id)
    if as_json:
        print_json(answer)
        return
    _show_transitions(f"scan {clean(scan_id)}", scan_id, answer["history"])
    if failed_tries := answer.get("failed_tries"):
        _show_failed_tries(failed_tries)


def _show_transitions(title: str, scan_id: str, transitions: list[dict[str, Any]]) -> None:
    shown = table(title, "time", "phase", "cause", "function", "reason")
    for step in transitions:
        row(
            shown,
            when(step.get("time")),
            step.get("phase"),
            # The id of an event, where it was one: it begins with the scan's own id, as all here do.
            str(step.get("cause") or "").removeprefix(f"{scan_id}/"),
            step.get("function"),
            step.get("reason"),
        )
    out.print(shown)


def _show_failed_tries(failed_tries: list[dict[str, Any]]) -> None:
    shown = table("what has failed", "last", "times", "function", "cluster", "reason")
    for line in failed_tries:
        row(
            shown,
            when(line.get("last")),
            line.get("times"),
            line.get("function"),
            line.get("name"),
            line.get("reason"),
        )
    out.print(shown)


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
    include_deleted: Annotated[bool, typer.Option("--include-deleted", help="Deleted scans too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find scans by run, event, classifiers or any MongoDB filter; all of what is given must hold."""
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
    shown = table("", "scan", "submitted", "run", "event", "type", "now", "priority", "classifiers")
    for found in sorted(manifests, key=lambda m: m.get("timestamp") or 0):
        metadata = found.get("event_metadata") or {}
        now = found.get("outcome") or found.get("phase")
        row(
            shown,
            found.get("scan_id"),
            when(found.get("timestamp")),
            metadata.get("run_id"),
            metadata.get("event_id"),
            metadata.get("event_type"),
            f"{now}, deleted" if found.get("is_deleted") else now,
            found.get("priority"),
            ", ".join(f"{key}={value}" for key, value in (found.get("classifiers") or {}).items()),
        )
    if manifests:
        out.print(shown)
    say(f"{len(manifests)} scan{'' if len(manifests) == 1 else 's'} found", style="dim")


def _all_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """One filter of several; flat where no key stands twice, for the service sees `is_deleted` only there."""
    keys = [key for condition in conditions for key in condition]
    if len(keys) == len(set(keys)):
        return {key: value for condition in conditions for key, value in condition.items()}
    return {"$and": conditions}


def backlog(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the scans that wait for their start, and why."""
    with connect(ctx) as client:
        answer = client.backlog()
    if as_json:
        print_json(answer)
        return
    entries = answer["entries"]
    shown = table("", "scan", "submitted", "priority", "next attempt", "reason")
    for entry in entries:
        row(
            shown,
            entry.get("scan_id"),
            when(entry.get("timestamp")),
            entry.get("priority"),
            _next_attempt(entry.get("next_attempt")),
            entry.get("reason"),
        )
    if entries:
        out.print(shown)
    say(f"{len(entries)} scan{'' if len(entries) == 1 else 's'} waiting", style="dim")


def _next_attempt(number: object) -> str:
    return "-" if number is None else f"{number}"
