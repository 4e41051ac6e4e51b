"""What an import did, or would do: figures, and what could not be taken."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_LISTED = 1000
"""Lines of a kind that a report holds; it counts the others. The database holds all of them."""
TIMES_OF_REHEARSAL = 1.3
"""How much longer an import takes than its rehearsal: the larger of two ratios in tests/bench/README.md."""
TOLD_EVERY = 5.0
"""Seconds between two lines of progress."""


@dataclass
class Lines:
    """Lines of one kind, of which only the first are kept."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Add a line."""
        self.count += 1
        if len(self.first) < MAX_LISTED:
            self.first.append(line)


@dataclass
class Report:
    """What an import did; with `dry_run`, what it would do.

    Attributes:
        dry_run: whether nothing was written.
        scans: manifests that were read.
        written: scans that were new here.
        rewritten: those that had changed there.
        unchanged: those that were here already.
        events: events that were new here.
        results: results of the scans that were written.
        bytes: that these take here.
        seconds: that it took.
        both_changed: scans that have changed there and here: they are left as they are here.
        not_imported: scans of the same id that were not imported but asked for here.
        aside: documents that could not be taken, wholly or in part, with the reason.
        remarks: what an operator should know.
    """

    dry_run: bool = False
    scans: int = 0
    written: int = 0
    rewritten: int = 0
    unchanged: int = 0
    events: int = 0
    results: int = 0
    bytes: int = 0
    seconds: float = 0.0
    both_changed: Lines = field(default_factory=Lines)
    not_imported: Lines = field(default_factory=Lines)
    aside: Lines = field(default_factory=Lines)
    remarks: list[str] = field(default_factory=list)

    def estimated_seconds(self) -> float:
        """Say how long the import would take: as long as this rehearsal, and longer where it writes.

        How much longer writes make it was measured, see `TIMES_OF_REHEARSAL`.
        """
        share = (self.written + self.rewritten) / self.scans if self.scans else 0.0
        return self.seconds * (1 + (TIMES_OF_REHEARSAL - 1) * share)

    def as_json(self) -> dict[str, Any]:
        """Make an object of it, for programs."""
        estimate = {"estimated_seconds": self.estimated_seconds()} if self.dry_run else {}
        return asdict(self) | estimate

    def sentences(self) -> list[str]:
        """Tell it to people."""
        would = "would be " if self.dry_run else ""
        rate = self.scans / self.seconds if self.seconds else 0.0
        told = [
            f"{self.scans} scans read in {duration(self.seconds)} ({rate:.0f}/s)",
            f"{self.written} {would}new here, {self.rewritten} {would}written anew, "
            f"{self.unchanged} unchanged",
            f"{self.results} results and {self.events} events {would}new here, "
            f"{self.bytes / 1e6:.1f} MB in all",
        ]
        if self.dry_run:
            told.append(
                f"nothing was written; the import would take about {duration(self.estimated_seconds())}: as "
                f"long as this rehearsal where nothing is written, {TIMES_OF_REHEARSAL:g} times as long "
                "where all is (as measured with both databases on one machine)"
            )
        for lines, what in (
            (self.both_changed, "changed there and here: left as they are here"),
            (self.not_imported, "have the id of a scan that was asked for here: left out"),
            (self.aside, "documents could not be taken, wholly or in part"),
        ):
            if lines.count:
                told.append(f"{lines.count} {what}")
                told += [f"  {line}" for line in lines.first[:50]]
                if lines.count > 50:
                    told.append(f"  ... and {lines.count - 50} more")
        return told + self.remarks


def duration(seconds: float) -> str:
    """Write a duration for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


class Progress:
    """Tells from time to time how far an import is, how fast, and how long it will take."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = self._told = time.monotonic()

    def line(self, done: int) -> str | None:
        """Say how far it is; None if this was said just before."""
        now = time.monotonic()
        if now - self._told < TOLD_EVERY:
            return None
        self._told = now
        return self.words(done, now - self._begun)

    def words(self, done: int, seconds: float) -> str:
        """Say it."""
        rate = done / seconds if seconds > 0 else 0.0
        left = duration(max(self._total - done, 0) / rate) if rate else "an unknown time"
        share = 100 * min(done / self._total, 1) if self._total else 100
        return f"{done} of about {self._total} scans ({share:.0f} %), {rate:.0f}/s, {left} left"
