"""Workers' logs are removed when they were kept for long enough."""

import time

from skydriver.model.documents import KeptLogs
from skydriver.model.phases import ClusterState
from skydriver.s3 import logs as stored
from skydriver.store.scans import clusters as scan_clusters

MAX_REMOVED = 100
"""Clusters whose logs are removed at once: the next sweep goes on."""


async def remove_old_logs() -> None:
    """Remove logs that were kept for long enough.

    Raises:
        TemporaryError: S3 does not answer.
    """
    for scan_id, cluster in await scan_clusters.clusters_with_old_logs(now=time.time(), limit=MAX_REMOVED):
        if (key := cluster["logs"]["key"]) is not None:
            await stored.remove(key)
        gone: KeptLogs = {
            "key": None,
            "workers": cluster["logs"]["workers"],
            "reason": "kept for long enough",
        }
        await scan_clusters.update_cluster(
            scan_id, cluster["uuid"], {"logs": gone}, states=(ClusterState.STOPPED,), touch=False
        )
