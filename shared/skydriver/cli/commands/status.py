"""`status`: where a scan stands, and why it is not done, on one screen."""

from collections.abc import Iterator, Mapping
from time import time as now
from typing import Annotated, Any

import typer
from rich.text import Text

from skydriver.cli.client import Client
from skydriver.cli.context import JsonOption, ScanId, connect
from skydriver.cli.follow import amount, state_color
from skydriver.cli.progress import FIELDS, take_snapshot
from skydriver.cli.screen import clean, duration, labelled, out, print_json, when
from skydriver.cli.why import Facts, missing_clusters, pod_words, why

LAST_STEPS = 5
TIME_WIDTH = len("2024-06-18 12:00:00 UTC") + 1


def status(
    ctx: typer.Context,
    scan: ScanId,
    pods: Annotated[
        bool, typer.Option("--pods", help="Ask for the statuses of the scan's pods too (with --json).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where a scan stands: what it waits for, progress, workers, last steps, and why it is not done."""
    with connect(ctx) as client:
        scan_id = client.whole_id(scan)
        if as_json:
            print_json(client.status(scan_id, pods=pods))
            return
        facts = ask(client, scan_id)
    for name, value in _lines(facts):
        labelled(name, value)
    for number, step in enumerate(facts.history[-LAST_STEPS:]):
        if number == 0:
            out.print(Text("\nlast steps", style="bold"))
        labelled(when(step["time"]), _step(step, scan_id), label_width=TIME_WIDTH)
    for number, line in enumerate(facts.failed_tries[-LAST_STEPS:]):
        if number == 0:
            out.print(Text("\nwhat has failed", style="bold"))
        labelled(when(line["last"]), _failed(line), label_width=TIME_WIDTH)
    if sentence := why(facts):
        out.print()
        # At a terminal words are kept whole; elsewhere a sentence is a line.
        out.print(Text(clean(sentence), style="bold"), soft_wrap=not out.is_terminal)


def ask(client: Client, scan_id: str) -> Facts:
    """Ask for what is known of a scan: four questions at most, by its phase."""
    answer = client.status(scan_id)
    told = client.history(scan_id)
    phase = answer.get("phase")
    more: dict[str, Any] = {}
    if phase == "QUEUED":
        more["backlog"] = client.backlog()
    elif phase in ("LAUNCHING", "STARTING"):
        answer = client.status(scan_id, pods=True)
    elif phase == "RUNNING":
        more["asked"] = [(name, n) for name, n in client.request(scan_id)["request_clusters"]]
    return Facts(
        scan_id=scan_id,
        now=now(),
        status=answer,
        manifest=client.manifest(scan_id, (*FIELDS, "timestamp")),
        history=told["history"],
        failed_tries=told.get("failed_tries") or (),
        **more,
    )


def _lines(facts: Facts) -> Iterator[tuple[str, Text | str]]:
    """What is known, by name; nothing is said of what is not."""
    snapshot = take_snapshot(facts.status, facts.manifest)
    yield "scan", Text.assemble(facts.scan_id, ("  deleted", "red") if snapshot.deleted else "")
    yield "state", Text(snapshot.state, style=f"bold {state_color(snapshot)}")
    if snapshot.phase:
        since = facts.status.get("phase_since")
        told = f" since {when(since)} ({duration(facts.waited)})" if since else ""
        attempt = f", attempt {snapshot.attempt}" if snapshot.attempt else ""
        yield "phase", f"{snapshot.phase}{told}{attempt}"
    if snapshot.outcome:
        yield "outcome", snapshot.outcome
    if snapshot.reason:
        yield "reason", snapshot.reason
    if snapshot.event:
        yield "event", snapshot.event
    yield from _waiting(facts)
    for words in pod_words(facts.status.get("pods") or {}):
        yield "pod", words
    if snapshot.summary:
        yield "scanner", snapshot.summary
    if reported := facts.status.get("reported_at"):
        yield "reported", f"{when(reported)} ({duration(facts.now - reported)} ago)"
    if snapshot.time_left:
        finish = f" (until about {when(facts.finish)})" if facts.finish else ""
        yield "time left", f"{snapshot.time_left}{finish}"
    for tally in snapshot.tallies:
        yield f"nside {tally.nside}", f"{amount(tally)} pixels"
    for words, cluster in zip(snapshot.workers, facts.clusters, strict=True):
        yield "workers", words
        for error, count in (cluster.get("top_task_errors") or {}).items():
            yield "", Text(f"{count} times: {clean(error)}", style="red")
    for missing in missing_clusters(facts):
        yield "workers", f"{missing.name}: {missing.n_workers} asked; not started{missing.how}"


def _step(step: Mapping[str, Any], scan_id: str) -> str:
    """A line of the history: the reason if there is one, else the cause (`skydriver history` has both)."""
    # The cause may be an event, whose id begins with that of its scan.
    told = step.get("reason") or str(step.get("cause") or "").removeprefix(f"{scan_id}/")
    return f"{step['phase']:<10} {step.get('function') or '-':<21} {told}"


def _failed(line: Mapping[str, Any]) -> str:
    """A line of what has failed."""
    where = f" on {line['name']}" if line.get("name") else ""
    times = f" ({line['times']} times)" if line.get("times", 1) > 1 else ""
    return f"{line['function']}{where}{times}: {line['reason']}"


def _waiting(facts: Facts) -> Iterator[tuple[str, Text | str]]:
    if facts.place is None:
        return
    entry = facts.entries[facts.place - 1]
    tries, not_before = entry.get("next_attempt"), entry.get("not_before") or 0.0
    told = f", {tries} refused" if tries else ""
    if not_before > facts.now:
        told += f", next try at {when(not_before)} (in {duration(not_before - facts.now)})"
    yield "backlog", f"place {facts.place} of {len(facts.entries)}, priority {entry.get('priority')}{told}"
    if limits := facts.backlog.get("limits"):
        yield (
            "limits",
            f"{limits['started']} of {limits['starts_per_minute']} starts in the last minute, "
            f"{limits['running']} of {limits['scans_running']} scans at once",
        )
