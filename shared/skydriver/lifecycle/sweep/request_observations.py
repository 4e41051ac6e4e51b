"""Every configured location is observed: one event a location."""

import time

from skydriver.lifecycle.workers.ask_for_observation import send_requests
from skydriver.settings import known_clusters
from skydriver.store import observation_leases
from skydriver.store.scans import clusters as scan_clusters


async def request_observations() -> None:
    """Have every configured location looked at: one event a location, not one a scan.

    Of clusters anywhere else nothing will be known any more, which is noted on them.
    """
    locations = {known.at for known in known_clusters().values()}
    await scan_clusters.mark_stale(
        {"$nin": sorted(locations)},
        asked_at=time.time(),
        reason="this location is no longer among the known clusters",
    )
    await observation_leases.keep_only(locations)
    await send_requests(locations, cause=f"{time.time():.3f}")
