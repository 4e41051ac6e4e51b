"""What an operator wants to see at a glance, as each sweep measures it: in the log, and at a collector."""

import logging
import time

from skydriver.lifecycle.sweep.count_metrics import count_metrics, histograms
from skydriver.model.documents import Totals
from skydriver.model.history import Retry
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store import observation_leases
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces
from skydriver.telemetry.metrics import Metric

logger = logging.getLogger(__name__)


async def send_metrics() -> None:
    """Measure what is under way, count what has happened, and log both; send both if there is a collector.

    `docs/operate.md` tells of each figure.

    Raises:
        TemporaryError: the collector does not take them.
    """
    now = time.time()
    phases, backlog, outboxes = await scan_overview.counts()
    backlog_age = 0.0 if backlog.since is None else round(now - backlog.since, 3)
    outbox_age = 0.0 if outboxes.since is None else round(now - outboxes.since, 3)
    silence = {
        location: 0.0 if since is None else round(now - since, 3)
        for location, since in (await observation_leases.silence()).items()
    }
    totals = await count_metrics(now)
    spread = histograms(totals)
    logger.info(
        "%d scans in the backlog, %d outboxes with events",
        backlog.n,
        outboxes.n,
        extra={
            "figures": {
                "scans": phases,
                "backlog_age": backlog_age,
                "outboxes": outboxes.n,
                "outbox_age": outbox_age,
                "locations_silence": silence,
                "counted_since": totals["since"],
                "retries": totals.get("retries", {}),
                "dead_letters": totals.get("dead_letters", {}),
                "phases": {
                    phase: {"left": times.count, "mean": round(times.sum / times.count, 3), "max": times.max}
                    for phase, times in spread.items()
                },
            }
        },
    )
    if not traces.is_enabled():
        return
    from skydriver.telemetry import otel

    figures = [
        Metric(
            "skydriver.scans",
            "{scan}",
            "Scans in each phase but the last.",
            now=[
                ({"skydriver.phase": phase}, phases.get(phase, 0)) for phase in Phase if phase != Phase.ENDED
            ],
        ),
        Metric(
            "skydriver.backlog.age",
            "s",
            "How long the scan has waited that has been in the backlog for longest.",
            now=[({}, backlog_age)],
        ),
        Metric(
            "skydriver.outboxes", "{scan}", "Scans with events not published yet.", now=[({}, outboxes.n)]
        ),
        Metric(
            "skydriver.outbox.age",
            "s",
            "How long the oldest event has waited for the broker.",
            now=[({}, outbox_age)],
        ),
        Metric(
            "skydriver.location.silence",
            "s",
            "How long each location of workers has not answered.",
            now=[({"skydriver.location": location}, age) for location, age in silence.items()],
        ),
        *_counted(totals),
        Metric(
            "skydriver.phase.duration",
            "s",
            "How long scans were in each phase, once they have left it.",
            spread=[({"skydriver.phase": phase}, times) for phase, times in spread.items()],
        ),
    ]
    await otel.export_metrics(figures, since=totals["since"], until=now)


def _counted(totals: Totals) -> list[Metric]:
    """Make figures of counts, zeros included: a series that appears with its first event hides that event."""
    retries, letters = totals.get("retries", {}), totals.get("dead_letters", {})
    kinds = [*(fact.value for fact in Fact), "other"]
    return [
        Metric(
            "skydriver.retries",
            "{retry}",
            "What was tried again.",
            totals=[({"skydriver.retry": kind}, retries.get(kind, 0)) for kind in Retry],
        ),
        Metric(
            "skydriver.dead_letters",
            "{event}",
            "Events that the broker gave up.",
            totals=[({"skydriver.fact": kind}, letters.get(kind.replace(".", "_"), 0)) for kind in kinds],
        ),
    ]
