"""What an operator sees of the whole at a glance."""

import logging
import time

import pytest

from skydriver.lifecycle.measure import measure
from skydriver.model.states import Phase
from tests.integration.documents import change, stored

pytestmark = pytest.mark.usefixtures("database")


async def figures(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="skydriver"):
        await measure()
    (record,) = caplog.records
    found: dict[str, object] = vars(record)["figures"]
    return found


async def test_nothing_is_under_way(caplog: pytest.LogCaptureFixture) -> None:
    await stored(Phase.ENDED)
    assert await figures(caplog) == {"scans": {}, "backlog_age": 0.0, "outboxes": 0, "outbox_age": 0.0}


async def test_what_has_waited_for_how_long(caplog: pytest.LogCaptureFixture) -> None:
    now = time.time()
    await stored(Phase.QUEUED, phase_since=now - 60)
    await stored(Phase.QUEUED, phase_since=now - 3600)
    await stored(Phase.RUNNING)
    stuck = await stored(Phase.STOPPING)
    await change(stuck, outbox={"scan_ended": {"id": "1"}}, outbox_since=now - 30)
    found = await figures(caplog)
    assert found["scans"] == {"QUEUED": 2, "RUNNING": 1, "STOPPING": 1}
    assert found["backlog_age"] == pytest.approx(3600, abs=5)
    assert found["outboxes"] == 1
    assert found["outbox_age"] == pytest.approx(30, abs=5)
