"""Products of a result, beside what icecube-skyreader takes for its plots of the same result."""

import asyncio
import json
import os
import sys
from typing import Any

from tests.bench.figures import Figure, at_most
from tests.bench.rows import Row
from tests.bench.stage import Stage
from tests.conftest import ROOT

BESIDE = {"usual": "usual", "large": "large", "pointed": "usual"}
"""Sizes, and the one that skyreader is measured with: of a pointed scan it is not done after minutes."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    figures: list[Figure] = []
    for size, beside in BESIDE.items():
        pairs = [(await _drawn("ours", size), await _drawn("skyreader", beside)) for _ in range(rounds)]
        theirs = [found["seconds"]["everything"] for _, found in pairs]
        note = "" if size == beside else f"beside skyreader with the {beside} scan"
        for product in pairs[0][0]["seconds"]:
            ours = [found["seconds"][product] for found, _ in pairs]
            figures.append(Figure.of(f"{size} scan: {product}", ours, theirs, "s", note=note))
        everything = [sum(found["seconds"].values()) for found, _ in pairs]
        figures.append(
            Figure.of(f"{size} scan: all of them", everything, theirs, "s", at_most(1.0), note=note)
        )
        held = [found["peak"] for found, _ in pairs]
        theirs_held = [found["peak"] for _, found in pairs]
        figures.append(
            Figure.of(f"{size} scan: most memory", held, theirs_held, "MB", at_most(1.0), note=note)
        )
    return figures


async def _drawn(who: str, size: str) -> dict[str, Any]:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(ROOT / "shared"), str(ROOT))),
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.drawing", who, size),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"the products of a {size} scan could not be made by {who}")
    found: dict[str, Any] = json.loads(output)
    return found


ROW = Row(
    "skymaps",
    "Products of a result, processor time without imports",
    "skyreader's two plots of it, with its FITS files and contours",
    run,
    rounds=1,
)
