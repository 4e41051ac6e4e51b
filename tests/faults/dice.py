"""What a run of faults is made of: one seed, dice for each part by its name, and a tally of what was done."""

import json
import random
import time
from collections import Counter
from pathlib import Path


class Dice(random.Random):
    """A part's own randomness: what other parts do does not change its throws."""

    def __init__(self, seed: int, part: str) -> None:
        super().__init__(f"{seed}/{part}")

    def happens(self, probability: float) -> bool:
        """Throw for something that happens with a probability."""
        return self.random() < probability


class Tally:
    """Counts the faults that were injected, by kind; also those of other processes.

    Faults happen only while the file `on` is there, so that every process knows at once when they end.

    Args:
        folder: shared by all processes of a run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._on = folder / "on"
        self._lines = folder / "faults"
        (folder / "once").mkdir(parents=True, exist_ok=True)
        self._lines.touch()

    @property
    def on(self) -> bool:
        """True while faults are to happen."""
        return self._on.exists()

    def begin(self) -> None:
        """Let faults happen."""
        self._on.touch()

    def end(self) -> None:
        """Let no more happen."""
        self._on.unlink(missing_ok=True)

    def first(self, what: str) -> bool:
        """Say whether this is the first time in a run, of any process, that something happens."""
        try:
            (self.folder / "once" / what.replace("/", "_")).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def add(self, kind: str, where: str, *, function: str | None = None) -> None:
        """Count a fault: one write, which is whole even where the process dies right after it.

        Args:
            kind: of the fault.
            where: it was injected.
            function: whose process it has hit, if it was one's.
        """
        with self._lines.open("ab", buffering=0) as lines:
            lines.write(json.dumps([kind, where, function, time.time()]).encode() + b"\n")

    def counts(self) -> Counter[tuple[str, str]]:
        """Count by kind and place."""
        return Counter((kind, where) for kind, where, *_ in self._all())

    def times(self, function: str) -> list[float]:
        """Say when faults have hit processes of a function."""
        return [at for _, _, hit, at in self._all() if hit == function]

    def _all(self) -> list[tuple[str, str, str | None, float]]:
        return [json.loads(line) for line in self._lines.read_text().splitlines()]
