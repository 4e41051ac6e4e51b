"""Follows scans until their work is over: progress bars at a terminal, plain lines on change elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from skydriver.cli.client import Client
from skydriver.cli.progress import FIELDS, Snapshot, take_snapshot
from skydriver.cli.screen import clean, now
from skydriver.model.tallies import Tally

MIN_WAIT_SECONDS = 0.3
MAX_WAIT_SECONDS = 5.0

Pause = Callable[[float], None]


def look(client: Client, scan_id: str) -> Snapshot:
    """The scan as it is now."""
    # In this order: a complete status then never stands beside an older, unfinished progress.
    status = client.status(scan_id)
    return take_snapshot(status, client.manifest(scan_id, FIELDS))


def changes(
    client: Client,
    scan_ids: Iterable[str],
    is_last: Callable[[Snapshot], bool],
    pause: Pause = time.sleep,
) -> Iterator[tuple[str, Snapshot]]:
    """Every change of scans that can be seen: of each up to and with the first for which `is_last` holds.

    It looks often while things change and ever less often while they do not.
    """
    wait = MIN_WAIT_SECONDS
    former: dict[str, Snapshot | None] = dict.fromkeys(scan_ids)
    while True:
        for scan_id, before in list(former.items()):
            seen = look(client, scan_id)
            if seen != before:
                yield scan_id, seen
                wait = MIN_WAIT_SECONDS
            if is_last(seen):
                del former[scan_id]
            else:
                former[scan_id] = seen
        if not former:
            return
        pause(wait)
        wait = min(1.3 * wait, MAX_WAIT_SECONDS)


def follow_scans(
    client: Client, scan_ids: Sequence[str], console: Console, pause: Pause = time.sleep
) -> dict[str, Snapshot]:
    """Show scans on the console until all are complete: the last snapshot of each."""
    last: dict[str, Snapshot] = {}
    with (Bars if console.is_terminal else Lines)(console, scan_ids) as display:
        for scan_id, snapshot in changes(client, scan_ids, lambda s: s.complete, pause):
            display.show(scan_id, snapshot)
            last[scan_id] = snapshot
    return {scan_id: last[scan_id] for scan_id in scan_ids}


class Display(Protocol):
    """Somewhere to show snapshots, one after the other."""

    def show(self, scan_id: str, snapshot: Snapshot) -> None:
        """Show what is true now."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines:
    """A plain line for each change: for files, pipes and continuous integration."""

    def __init__(self, console: Console, scan_ids: Sequence[str]) -> None:
        self._console = console
        self._last = dict.fromkeys(scan_ids, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, scan_id: str, snapshot: Snapshot) -> None:
        """Print the snapshot if it reads differently from the last one of its scan."""
        line = plain_line(snapshot)
        if line != self._last[scan_id]:
            which = f"{scan_id} " if len(self._last) > 1 else ""
            self._console.print(Text(f"{now():%H:%M:%S} {which}{line}"), soft_wrap=True)
            self._last[scan_id] = line


def plain_line(snapshot: Snapshot) -> str:
    """The snapshot in one line."""
    parts = [snapshot.headline]
    if snapshot.tallies:
        parts.append("pixels " + ", ".join(f"nside {t.nside}: {amount(t)}" for t in snapshot.tallies))
    if not snapshot.complete:
        parts += [f"workers {clean(workers)}" for workers in snapshot.workers]
    return " | ".join(parts)


def amount(tally: Tally) -> str:
    """`675/768`, `0/~768` for a number that is only predicted, `12` where there is none."""
    if tally.expected is None:
        return str(tally.done)
    return f"{tally.done}/{'' if tally.begun else '~'}{tally.expected}"


class Bars:
    """The state, a progress bar for each nside, and the workers of each scan, redrawn in place."""

    def __init__(self, console: Console, scan_ids: Sequence[str]) -> None:
        self._blocks = {scan_id: _Block() for scan_id in scan_ids}
        self._live = Live(Text("…"), console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, scan_id: str, snapshot: Snapshot) -> None:
        """Redraw."""
        self._blocks[scan_id].take(snapshot)
        self._live.update(Group(*self._rows()), refresh=True)

    def _rows(self) -> Iterator[RenderableType]:
        for scan_id, block in self._blocks.items():
            if len(self._blocks) > 1:
                yield Text(f"scan {clean(scan_id)}", style="bold")
            yield from block.rows()


class _Block:
    """What is shown of a scan."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._bars: dict[int, TaskID] = {}
        self._progress = Progress(
            TextColumn("nside {task.description:>4}"),
            BarColumn(bar_width=40),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[amount]} pixels", style="dim"),
        )

    def take(self, snapshot: Snapshot) -> None:
        """Take what is true now."""
        self._snapshot = snapshot
        for tally in snapshot.tallies:
            if tally.nside not in self._bars:
                self._bars[tally.nside] = self._progress.add_task(str(tally.nside), amount="")
            self._progress.update(
                self._bars[tally.nside],
                completed=tally.done,
                total=tally.expected,
                amount=amount(tally),
            )

    def rows(self) -> Iterator[RenderableType]:
        """Draw it."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        yield Text(snapshot.headline, style=f"bold {state_color(snapshot)}")
        if snapshot.event or snapshot.summary:
            told = [snapshot.event, snapshot.summary, snapshot.time_left and f"{snapshot.time_left} to go"]
            yield Text(" · ".join(clean(part) for part in told if part), style="dim")
        if self._bars:
            yield self._progress
        for workers in () if snapshot.complete else snapshot.workers:
            yield Text(f"workers {clean(workers)}", style="dim")


def state_color(snapshot: Snapshot) -> str:
    """Green for success, red for a failure or an abort, cyan for all that goes on."""
    if snapshot.succeeded:
        return "green"
    return "red" if snapshot.state.startswith("STOPPED__") or snapshot.outcome == "failed" else "cyan"
