"""What workers have written is kept for a while, where a scan asked for it (`debug_mode: client-logs`)."""

import asyncio
import logging
import shutil
import tempfile
import time
from pathlib import Path

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.workers.backend_call import backend_call
from skydriver.model.documents import Cluster, KeptLogs
from skydriver.model.phases import ClusterState
from skydriver.model.reasons import cut
from skydriver.s3 import logs as stored
from skydriver.settings import settings
from skydriver.store.scans import clusters as scan_clusters
from skydriver.workers.backend import backend
from skydriver.workers.protocol import KeepsLogs

logger = logging.getLogger(__name__)

DAY = 86400
SHARE = 0.75
"""The part of a step's time that one try to bring logs may take: it is to be seen that it took too long."""


async def collect_logs(scan_id: str, cluster: Cluster) -> None:
    """Bring the logs of a cluster that is about to be stopped to S3, unless that is done or was given up.

    Workers have a set time to hand their logs in; what has not come by then is lost, and the entry says why.

    Raises:
        TemporaryError: they have not come yet.
        PermanentError: they cannot be fetched, but there is time left to mend that.
    """
    keeper = backend(cluster["orchestrator"])
    started = cluster["cluster_id"] is not None
    if not started or cluster.get("logs") is not None or not isinstance(keeper, KeepsLogs):
        return
    deadline = min(settings().client_logs_deadline, settings().stop_deadline)
    wait = time.time() - cluster["stopping_since"] < deadline
    note: KeptLogs = {"key": None, "workers": 0, "reason": None}
    try:
        async with backend_call(SHARE):
            note["workers"] = workers = await _bring(scan_id, cluster, keeper, wait=wait)
        if workers:
            note["key"] = stored.key(scan_id, cluster["uuid"])
            note["until"] = time.time() + settings().client_logs_days * DAY
        else:
            note["reason"] = "the workers have written nothing"
    except SkyDriverError as error:
        if wait:
            raise
        note["reason"] = cut(str(error))
    await scan_clusters.update_cluster(
        scan_id, cluster["uuid"], {"logs": note}, states=(ClusterState.STOPPING,)
    )


async def _bring(scan_id: str, cluster: Cluster, keeper: KeepsLogs, *, wait: bool) -> int:
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="skydriver-logs-"))
    try:
        workers = await keeper.collect_logs(cluster, folder, wait=wait)
        if workers:
            await stored.put(folder, stored.key(scan_id, cluster["uuid"]))
        return workers
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
