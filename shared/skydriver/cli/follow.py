"""Follows a scan until its work is over: progress bars at a terminal, plain lines on change elsewhere."""

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from skydriver.cli.client import Client
from skydriver.cli.progress import FIELDS, Snapshot, take_snapshot
from skydriver.cli.screen import clean
from skydriver.model.tallies import Tally

MIN_WAIT_SECONDS = 0.3
MAX_WAIT_SECONDS = 5.0

Pause = Callable[[float], None]


def look(client: Client, scan_id: str) -> Snapshot:
    """The scan as it is now."""
    # In this order: a complete status then never stands beside an older, unfinished progress.
    status = client.status(scan_id)
    return take_snapshot(status, client.manifest(scan_id, FIELDS))


def snapshots(
    client: Client, scan_id: str, is_last: Callable[[Snapshot], bool], pause: Pause = time.sleep
) -> Iterator[Snapshot]:
    """Every change of a scan that can be seen, up to and with the first for which `is_last` holds.

    It looks often while things change and ever less often while they do not.
    """
    wait = MIN_WAIT_SECONDS
    former: Snapshot | None = None
    while True:
        now = look(client, scan_id)
        if now != former:
            yield now
            wait = MIN_WAIT_SECONDS
        if is_last(now):
            return
        former = now
        pause(wait)
        wait = min(1.3 * wait, MAX_WAIT_SECONDS)


def follow(client: Client, scan_id: str, console: Console, pause: Pause = time.sleep) -> Snapshot:
    """Show a scan on the console until it is complete: the last snapshot."""
    with (Bars if console.is_terminal else Lines)(console) as display:
        for snapshot in snapshots(client, scan_id, lambda s: s.complete, pause):
            display.show(snapshot)
    return snapshot


class Display(Protocol):
    """Somewhere to show snapshots, one after the other."""

    def show(self, snapshot: Snapshot) -> None:
        """Show what is true now."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines:
    """A plain line for each change: for files, pipes and continuous integration."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, snapshot: Snapshot) -> None:
        """Print the snapshot if it reads differently from the last one."""
        line = plain_line(snapshot)
        if line != self._last:
            self._console.print(Text(f"{time.strftime('%H:%M:%S')} {line}"), soft_wrap=True)
            self._last = line


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
    """The state, a progress bar for each nside, and the workers, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("nside {task.description:>4}"),
            BarColumn(bar_width=40),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[amount]} pixels", style="dim"),
        )
        self._bars: dict[int, TaskID] = {}
        self._live = Live(Text("…"), console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw."""
        for tally in snapshot.tallies:
            if tally.nside not in self._bars:
                self._bars[tally.nside] = self._progress.add_task(str(tally.nside), amount="")
            self._progress.update(
                self._bars[tally.nside],
                completed=tally.done,
                total=tally.expected,
                amount=amount(tally),
            )
        self._live.update(Group(*self._rows(snapshot)), refresh=True)

    def _rows(self, snapshot: Snapshot) -> Iterator[RenderableType]:
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
