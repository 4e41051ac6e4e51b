"""Why a scan is not done: worked out from what the service says of it, in one plain sentence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skydriver.cli.screen import duration
from skydriver.model.holdups import LIVE, LONG_SECONDS, QUIET_SECONDS, predicted_end
from skydriver.model.phases import ALERT_PRIORITY
from skydriver.model.reasons import ReasonCode
from skydriver.model.tallies import read_tallies

Json = Mapping[str, Any]

_LIVE = (*LIVE, None)
_TRIED_AGAIN = (ReasonCode.WORKERS_START_REFUSED, ReasonCode.WORKERS_START_NO_ROOM)
_GIVEN_UP = (
    ReasonCode.WORKERS_START_IMPOSSIBLE,
    ReasonCode.WORKERS_START_GIVEN_UP,
    ReasonCode.CLUSTER_UNKNOWN,
)


@dataclass(frozen=True)
class Facts:
    """What the service says of a scan; what was not asked for is empty.

    Attributes:
        scan_id: the scan.
        now: seconds since the epoch.
        status: GET status.
        manifest: some fields of it.
        history: the oldest line first.
        failed_tries: what has failed on the way.
        backlog: GET backlog; of a scan that waits there.
        asked: the clusters asked for, `(name, n_workers)`; of a scan that should have workers.
    """

    scan_id: str
    now: float
    status: Json
    manifest: Json
    history: Sequence[Json] = ()
    failed_tries: Sequence[Json] = ()
    backlog: Json = field(default_factory=dict)
    asked: Sequence[tuple[str, int]] = ()

    @property
    def clusters(self) -> list[Json]:
        """The clusters that were started."""
        return list(self.status.get("clusters") or ())

    @property
    def waited(self) -> float:
        """Seconds that it has been in its phase."""
        return self.now - float(self.status.get("phase_since") or self.now)

    @property
    def place(self) -> int | None:
        """Its place in the backlog, from 1; None where it is not there."""
        ids = [entry["scan_id"] for entry in self.entries]
        return ids.index(self.scan_id) + 1 if self.scan_id in ids else None

    @property
    def entries(self) -> list[Json]:
        """The backlog's entries, the next one first."""
        return list(self.backlog.get("entries") or ())

    @property
    def failed_since(self) -> list[Json]:
        """What has failed since it entered its phase, the oldest first."""
        since = self.status.get("phase_since") or 0.0
        return sorted(
            (line for line in self.failed_tries if line["last"] >= since), key=lambda line: line["last"]
        )

    @property
    def reasons(self) -> list[str]:
        """The reasons that were given since it entered its phase, the oldest first."""
        since = self.status.get("phase_since") or 0.0
        given = [(line["time"], line["reason"]) for line in self.history if line.get("reason")]
        given += [(line["last"], line["reason"]) for line in self.failed_since]
        return [str(reason) for time, reason in sorted(given) if time >= since]

    @property
    def finish(self) -> float | None:
        """When it should be finished, as its scanner last predicted; in seconds since the epoch."""
        return predicted_end(self.manifest.get("progress"), self.status.get("reported_at"))


@dataclass(frozen=True)
class Missing:
    """A cluster that was asked for and has not started.

    Attributes:
        name: what users call it.
        n_workers: that were asked for.
        reason: why it has not started, if there is something to say.
        is_given_up: whether it is not tried again.
    """

    name: str
    n_workers: int
    reason: str | None
    is_given_up: bool

    @property
    def how(self) -> str:
        """How "not started" goes on: ` yet`, ` yet: REASON` or `: REASON`."""
        return f"{'' if self.is_given_up else ' yet'}{f': {self.reason}' if self.reason else ''}"


def missing_clusters(facts: Facts) -> list[Missing]:
    """List the clusters asked for that have not started."""
    live = Counter(_name(cluster) for cluster in facts.clusters if cluster.get("state") in _LIVE)
    missing = []
    for name, n_workers in facts.asked:
        if live[name]:
            live[name] -= 1
            continue
        failed = [
            line
            for line in facts.failed_since
            if line.get("name") == name and line["reason_code"] in (*_GIVEN_UP, *_TRIED_AGAIN)
        ]
        missing.append(
            Missing(
                name,
                n_workers,
                reason=str(failed[-1]["reason"]) if failed else None,
                is_given_up=bool(failed) and failed[-1]["reason_code"] in _GIVEN_UP,
            )
        )
    return missing


def pod_words(pods: Json) -> list[str]:
    """Say of each pod of a scanner server how it is, in the words of its backend."""
    return [f"{name}: {_pod(pod)}" for name, pod in (pods.get("pod_status") or {}).items()]


def _pod(pod: Json) -> str:
    words: list[Any] = [pod.get("phase") or "unknown"]
    for condition in pod.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            words += [condition.get("reason"), condition.get("message")]
    for container in (*(pod.get("initContainerStatuses") or ()), *(pod.get("containerStatuses") or ())):
        waits = (container.get("state") or {}).get("waiting") or {}
        words += [waits.get("reason"), waits.get("message")]
    words += [pod.get("reason"), pod.get("message")]
    return ": ".join(str(word) for word in words if word)


def why(facts: Facts) -> str:
    """Say why a scan is not done, or how it has ended; empty for a service that knows no phases."""
    say = {
        "QUEUED": _queued,
        "LAUNCHING": _launching,
        "STARTING": _starting,
        "RUNNING": _running,
        "STOPPING": _stopping,
        "ENDED": _ended,
    }.get(str(facts.status.get("phase")))
    # Reasons come from anywhere, some with a full stop of their own.
    return "" if say is None else f"{say(facts).rstrip('.')}."


def _queued(facts: Facts) -> str:
    if facts.place is None:
        return "It has just left the backlog: look again."
    entry, ahead = facts.entries[facts.place - 1], facts.entries[: facts.place - 1]
    reason = entry.get("reason")
    wait = float(entry.get("not_before") or 0.0) - facts.now
    if wait > 0:
        tries = int(entry.get("next_attempt") or 0)
        refused = f" {tries} time{'s' if tries > 1 else ''}" if tries else ""
        return (
            f"It waits for its next try, in {duration(wait)}: its start was refused{refused}, last because "
            f"{reason or 'of something unknown'}."
        )
    where = f"It waits in the backlog, at place {facts.place} of {len(facts.entries)}"
    limits = facts.backlog.get("limits") or {}
    if int(entry.get("priority") or 0) < ALERT_PRIORITY:
        if any(int(other.get("priority") or 0) >= ALERT_PRIORITY for other in ahead):
            return f"{where}: alerts go first."
        if limits and limits["running"] >= limits["scans_running"]:
            return f"{where}: the limit of scans that run at once is reached ({limits['scans_running']})."
        if limits and limits["started"] >= limits["starts_per_minute"]:
            return f"{where}: the limit of starts within a minute is reached ({limits['starts_per_minute']})."
    return f"{where}: it starts with the next sweep, which runs once a minute."


def _launching(facts: Facts) -> str:
    leaving = [cluster for cluster in facts.clusters if cluster.get("state") == "stopping"]
    if leaving:
        return (
            "It is to be launched again, once the workers of its last attempt are gone: "
            f"{'; '.join(map(_place, leaving))}."
        )
    sentence = f"Its scanner server is being started, for {duration(facts.waited)} now"
    if facts.reasons:
        sentence += f"; last was said: {facts.reasons[-1]}"
    elif facts.waited > LONG_SECONDS:
        sentence += ", which is long: `skydriver check` says whether the service can reach what it needs"
    return f"{sentence}."


def _starting(facts: Facts) -> str:
    pods = pod_words(facts.status.get("pods") or {})
    return (
        f"Its scanner server was started {duration(facts.waited)} ago and is not ready for workers yet: "
        f"{'; '.join(pods) or facts.status.get('reason') or 'nothing is known of its pod'}."
    )


def _running(facts: Facts) -> str:
    progress = facts.manifest.get("progress") or {}
    if (progress.get("processing_stats") or {}).get("finished"):
        return "Its scanner has finished, and the final result is on its way."
    live = [cluster for cluster in facts.clusters if cluster.get("state") in _LIVE]
    missing = missing_clusters(facts)
    if not live:
        why_not = "; ".join(f"not started on {one.name}{one.how}" for one in missing if one.reason)
        return f"It waits for workers: {why_not or 'none of them has been started yet'}."
    stale = [cluster for cluster in live if cluster.get("stale_since")]
    states = _states([cluster for cluster in live if cluster not in stale])
    working = states.pop("Running", 0)
    if stale and not working:
        since = facts.now - max(float(cluster["stale_since"]) for cluster in stale)
        reasons = "; ".join(f"{_name(cluster)}: {cluster.get('stale_reason')}" for cluster in stale)
        return f"Nothing newer is known of its workers for {duration(since)}: {reasons}."
    if not working:
        others = ", ".join(f"{n} {state}" for state, n in states.most_common())
        where = ", ".join(map(_name, live))
        return f"It waits for workers to run on {where}: {others or 'none has been seen yet'}."
    workers = f"{working} worker{'' if working == 1 else 's'}"
    reported = facts.status.get("reported_at")
    if not progress or reported is None:
        return f"Its {workers} run, but its scanner has not reported yet."
    if facts.now - reported > QUIET_SECONDS:
        return f"Its scanner has not reported for {duration(facts.now - reported)}, though {workers} run."
    return f"It is being scanned by {workers}: {_pixels(progress)}{_until(facts)}."


def _pixels(progress: Json) -> str:
    tallies = read_tallies(progress)
    done = sum(tally.done for tally in tallies)
    expected = [tally.expected for tally in tallies]
    if not tallies or None in expected:
        return f"{done} pixels are done"
    return f"{done} of about {sum(n for n in expected if n is not None)} pixels are done"


def _until(facts: Facts) -> str:
    if facts.finish is None:
        return ""
    left = facts.finish - facts.now
    if left <= 0:
        return f", and it should have been finished {duration(-left)} ago"
    return f", and it should be finished in about {duration(left)}"


_ENDS = {"finished": "has finished", "aborted": "was aborted", "failed": "has failed"}


def _stopping(facts: Facts) -> str:
    leaving = [_place(cluster) for cluster in facts.clusters if cluster.get("state") == "stopping"]
    left = f"its workers on {'; '.join(leaving)}" if leaving else "its scanner server"
    return f"{_end(facts)}. What is left is being removed, for {duration(facts.waited)} now: {left}."


def _ended(facts: Facts) -> str:
    sentence = f"{_end(facts)}."
    if facts.status.get("outcome") != "finished":
        return sentence
    return f"{sentence} See `skydriver plot {facts.scan_id}`."


def _end(facts: Facts) -> str:
    outcome, reason = facts.status.get("outcome"), str(facts.status.get("reason") or "")
    words = f"It {_ENDS.get(str(outcome), 'is over')}"
    if outcome == "finished":
        over = [line["time"] for line in facts.history if line["phase"] == "STOPPING"]
        asked = facts.manifest.get("timestamp")
        return f"{words}, {duration(over[0] - asked)} after it was asked for" if over and asked else words
    if reason and facts.status.get("reason_code") == ReasonCode.ABORTED_BY_USER:
        return f"It was {reason}"
    return f"{words}: {reason.rstrip('.')}" if reason else words


def _states(clusters: Sequence[Json]) -> Counter[str]:
    """Count workers by the status of their jobs."""
    states: Counter[str] = Counter()
    for cluster in clusters:
        for status, pilots in (cluster.get("statuses") or {}).items():
            states[status] += sum(pilots.values())
    return states


def _name(cluster: Json) -> str:
    location = cluster.get("location") or {}
    return str(cluster.get("name") or location.get("schedd") or "/".join(map(str, location.values())))


def _place(cluster: Json) -> str:
    return _name(cluster) + (f" ({cluster['reason']})" if cluster.get("reason") else "")
