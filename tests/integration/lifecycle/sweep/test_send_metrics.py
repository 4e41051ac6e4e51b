"""What an operator sees of the whole at a glance."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep import count_metrics
from skydriver.lifecycle.sweep.send_metrics import send_metrics
from skydriver.model.phases import Phase
from skydriver.store import counters, observation_leases
from tests.conftest import ROOT
from tests.support.collector import attributes_of, collector
from tests.support.documents import change, stored
from tests.support.loopback import loopback

pytestmark = pytest.mark.usefixtures("database")


async def figures(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="skydriver"):
        await send_metrics()
    (record,) = caplog.records
    found: dict[str, Any] = vars(record)["figures"]
    return found


async def test_nothing_is_under_way(caplog: pytest.LogCaptureFixture) -> None:
    await stored(Phase.ENDED)
    found = await figures(caplog)
    assert found.pop("counted_since") == pytest.approx(time.time() - count_metrics.SETTLE_SECONDS, abs=5)
    assert found == {
        "scans": {},
        "backlog_age": 0.0,
        "outboxes": 0,
        "outbox_age": 0.0,
        "locations_silence": {},
        "retries": {},
        "dead_letters": {},
        "phases": {},
    }


async def test_what_has_waited_for_how_long(caplog: pytest.LogCaptureFixture) -> None:
    now = time.time()
    await stored(Phase.QUEUED, timestamp=now - 60)
    await stored(Phase.QUEUED, timestamp=now - 3600)
    await stored(Phase.RUNNING)
    stuck = await stored(Phase.STOPPING)
    await change(stuck, outbox={"scan_ended": {"id": "1"}}, outbox_since=now - 30)
    found = await figures(caplog)
    assert found["scans"] == {"QUEUED": 2, "RUNNING": 1, "STOPPING": 1}
    assert found["backlog_age"] == pytest.approx(3600, abs=5)
    assert found["outboxes"] == 1
    assert found["outbox_age"] == pytest.approx(30, abs=5)


async def have_left_the_backlog(*seconds: float) -> None:
    """Store scans that left the backlog after a number of seconds, a while ago, and begin to count before."""
    left = time.time() - count_metrics.SETTLE_SECONDS - 10
    await counters.read(begin=left - 1)
    for each in seconds:
        lines = [
            {"phase": phase, "time": at, "cause": "test", "function": "test"}
            for phase, at in ((Phase.QUEUED, left - each), (Phase.LAUNCHING, left))
        ]
        await stored(Phase.LAUNCHING, history=lines)


async def test_how_long_phases_have_lasted(caplog: pytest.LogCaptureFixture) -> None:
    await have_left_the_backlog(2.0, 7200.0)
    assert (await figures(caplog))["phases"] == {"QUEUED": {"left": 2, "mean": 3601.0, "max": 7200.0}}


@pytest.fixture
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.usefixtures("without_proxy")
async def test_a_collector_is_sent_all_of_it(configure: Callable[..., None]) -> None:
    now = time.time()
    await stored(Phase.QUEUED, timestamp=now - 60)
    await have_left_the_backlog(2.0, 7200.0)
    for location in ("condor/cm/answers", "condor/cm/silent"):
        await observation_leases.acquire(location, seconds=1)
    await observation_leases.note_silence("condor/cm/silent", since=now - 600, reason="timed out")
    with collector() as seen:
        configure(OTEL_EXPORTER_OTLP_ENDPOINT=seen.url)
        await send_metrics()
        (sent,) = seen.metrics

    def points(name: str) -> dict[tuple[str, ...], Any]:
        data = getattr(sent[name], sent[name].WhichOneof("data") or "")
        return {tuple(attributes_of(point).values()): point for point in data.data_points}

    assert {name: (metric.WhichOneof("data"), metric.unit) for name, metric in sent.items()} == {
        "skydriver.scans": ("gauge", "{scan}"),
        "skydriver.backlog.age": ("gauge", "s"),
        "skydriver.outboxes": ("gauge", "{scan}"),
        "skydriver.outbox.age": ("gauge", "s"),
        "skydriver.location.silence": ("gauge", "s"),
        "skydriver.retries": ("sum", "{retry}"),
        "skydriver.dead_letters": ("sum", "{event}"),
        "skydriver.phase.duration": ("histogram", "s"),
    }
    assert {phase: point.as_int for (phase,), point in points("skydriver.scans").items()} == {
        "QUEUED": 1,
        "LAUNCHING": 2,
        "STARTING": 0,
        "RUNNING": 0,
        "STOPPING": 0,
    }
    assert points("skydriver.backlog.age")[()].as_double == pytest.approx(60, abs=5)
    silence = {
        location: point.as_double for (location,), point in points("skydriver.location.silence").items()
    }
    assert silence == {"condor/cm/answers": 0.0, "condor/cm/silent": pytest.approx(600, abs=5)}
    # As Prometheus names them (OpenTelemetry's conventions): units are written out, totals end with `_total`.
    known = {
        name.replace(".", "_")
        + ("_seconds" if metric.unit == "s" else "")
        + ("_total" if metric.WhichOneof("data") == "sum" else "")
        for name, metric in sent.items()
    }
    page = (ROOT / "docs" / "operate.md").read_text()
    rules = yaml.safe_load("groups:" + page.partition("```yaml\ngroups:")[2].partition("```")[0])
    named = {
        name
        for group in rules["groups"]
        for rule in group["rules"]
        for name in re.findall(r"skydriver_\w+", rule["expr"])
    }
    assert len(named) == 5
    assert named <= known
    assert sent["skydriver.retries"].sum.is_monotonic
    assert {kind: point.as_int for (kind,), point in points("skydriver.retries").items()} == dict.fromkeys(
        ("start_refused", "scanner_relaunched", "workers_refused", "redriven"), 0
    )
    assert points("skydriver.dead_letters")[("scan.requested",)].as_int == 0
    (queued,) = points("skydriver.phase.duration").values()
    assert (queued.count, queued.sum, queued.min, queued.max) == (2, 7202.0, 2.0, 7200.0)
    assert list(queued.explicit_bounds) == list(count_metrics.BOUNDS)
    assert list(queued.bucket_counts) == [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert queued.start_time_unix_nano / 1e9 == pytest.approx(now - count_metrics.SETTLE_SECONDS - 11, abs=5)


@pytest.mark.usefixtures("without_proxy")
async def test_a_collector_that_takes_nothing_is_reported(configure: Callable[..., None]) -> None:
    with loopback() as nobody:  # answers 404
        configure(OTEL_EXPORTER_OTLP_ENDPOINT=nobody.url)
        with pytest.raises(TemporaryError, match="the collector does not take figures"):
            await send_metrics()
