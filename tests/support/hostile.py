"""A scan whose texts from outside are all hostile to a page: markup, scripts, templates."""

import time

from skydriver.model.phases import Phase
from tests.support.documents import METADATA, change, cluster, stored

HOSTILE = '"><script>window.hit = 1</script><img src=x onerror="window.hit = 1">{{ 7 * 7 }}'
"""It closes an attribute and an element; a page that runs any of it has `window.hit`."""


async def stored_hostile() -> str:
    """Store such a scan as a running one, and return its id."""
    at = time.time()
    entry = cluster(
        name="local",
        at=HOSTILE,
        cluster_id=HOSTILE,
        reason=HOSTILE,
        stale_since=1000.0,
        stale_reason=HOSTILE,
        statuses={HOSTILE: {HOSTILE: 1}},
        top_task_errors={HOSTILE: 1},
        errors_by_site={HOSTILE: {HOSTILE: 1}},
    )
    entry["name"] = HOSTILE
    tried = {"function": HOSTILE, "cluster": "a", "name": HOSTILE, "event_type": HOSTILE, "reason": HOSTILE}
    scan_id = await stored(
        Phase.RUNNING,
        clusters=[entry],
        classifiers={HOSTILE: HOSTILE},
        submitted_by=HOSTILE,
        reason=HOSTILE,
        progress={
            "summary": HOSTILE,
            "epilogue": HOSTILE,
            "tallies": {"nsides": {"8": {"done": 700, "est. percent": "700/768 (0.9)"}}},
            "processing_stats": {"predictions": {"time left": HOSTILE}, "finished": False},
        },
        event_metadata={**METADATA["event_metadata"], "event_type": HOSTILE},
        history=[{"phase": "RUNNING", "time": at, "cause": HOSTILE, "function": HOSTILE, "reason": HOSTILE}],
        failed_tries=[{**tried, "reason_code": HOSTILE, "first": at, "last": at, "times": 2, "recent": []}],
    )
    await change(scan_id, request__reco_algo=HOSTILE, request__docker_tag=HOSTILE)
    return scan_id
