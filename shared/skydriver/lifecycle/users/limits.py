"""What a request may ask for: priorities, room in the backlog, workers of a cluster, time of a pixel."""

from skydriver.errors import Forbidden, InvalidArguments, TooMany
from skydriver.model.phases import ALERT_PRIORITY
from skydriver.model.submission import workers_by_cluster
from skydriver.scanner.era import check_pixel_time, era_of
from skydriver.settings import known_clusters, settings
from skydriver.store.scans import overview as scan_overview


def check_priority(priority: int, *, may_alert: bool) -> None:
    """Keep the priorities of realtime alerts to those who send them (v1 README, `priority`).

    Raises:
        Forbidden: the priority is an alert's, and the caller may not send alerts.
    """
    if priority >= ALERT_PRIORITY and not may_alert:
        raise Forbidden(
            f"argument priority: {ALERT_PRIORITY} and more are reserved for realtime alerts, which need the "
            f"role realtime or system; pass a lower one"
        )


async def check_backlog(priority: int) -> None:
    """Take no more scans than can be looked after; alerts are always taken.

    Raises:
        TooMany: the backlog is full.
    """
    limit = settings().backlog_limit
    if priority < ALERT_PRIORITY and await scan_overview.are_queued(limit):
        raise TooMany(f"the backlog is full: {limit} scans are waiting already; try again later")


def check_pixel_reco_time(tag: str, max_pixel_reco_time: int) -> None:
    """Keep to what the message broker allows.

    Raises:
        InvalidArguments: a pixel may not take as long.
    """
    era = era_of(tag, settings().v3_tags)
    check_pixel_time(era, max_pixel_reco_time, settings().broker_acknowledgement_timeout)


def check_clusters(clusters: list[tuple[str, int]], *, debug: bool) -> None:
    """Check the clusters asked for against the known ones and their limits.

    Raises:
        InvalidArguments: naming the cluster, and what is known or allowed.
    """
    known = known_clusters()
    for name, n_workers in workers_by_cluster(clusters).items():
        if name not in known:
            raise InvalidArguments(
                {"cluster": f"there is no cluster '{name}'; known are: {', '.join(sorted(known))}"}
            )
        most = known[name].max_workers
        if most is not None and n_workers > most:
            raise InvalidArguments({"cluster": f"'{name}' takes at most {most} workers a scan"})
        most = known[name].max_debug_workers
        if debug and most is not None and n_workers > most:
            raise InvalidArguments(
                {"cluster": f"'{name}' takes at most {most} workers a scan with 'client-logs'"}
            )
