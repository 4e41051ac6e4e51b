"""Every document that is stored, as a type; at run time they are plain dicts.

A part of a document (`ScanPart` and what follows) is what one reader reads of it. The projection that
MongoDB gets is made from its fields (`projection`), so that neither can name what the other has not. Of an
object that is null MongoDB leaves out what only a part of is asked for: such a field is `NotRequired`. Times
are seconds since the epoch.
"""

import datetime as dt
from collections.abc import Hashable, Mapping
from functools import cache
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    NotRequired,
    Required,
    TypedDict,
    Union,
    cast,
    get_args,
    get_origin,
    is_typeddict,
)

if TYPE_CHECKING:
    # Few functions read results.
    from bson import ObjectId

FreeForm = dict[str, Any]
"""An object whose fields are not ours: what users, scanners or backends put there."""
SCHEMA = 1
"""What stands as `schema` in every stored document: which version of these types it is of."""

# --- a scan -------------------------------------------------------------------------------------------


class Request(TypedDict):
    """What was asked for: validated, defaults filled, the image's tag resolved."""

    scan_id: str
    rescan_ids: list[str]
    docker_tag: str
    scanner_server_memory_bytes: int
    reco_algo: str
    nsides: dict[str, int]
    real_or_simulated_event: str
    predictive_scanning_threshold: float
    classifiers: FreeForm
    request_clusters: list[list[Any]]
    """`[name, n_workers]` each."""
    worker_memory_bytes: int
    worker_disk_bytes: int
    max_pixel_reco_time: int
    max_worker_runtime: int
    priority: int
    debug_mode: list[str]
    skyscan_mq_client_timeout_wait_for_first_message: int
    i3_event_id: str
    rest_address: str
    scanner_server_env_from_user: FreeForm
    submitted_by: str | None


class KeptLogs(TypedDict):
    """What has become of the logs of a cluster's workers."""

    key: str | None
    """In S3; None where there are none."""
    workers: int
    """Whose logs are there."""
    reason: str | None
    until: NotRequired[float]
    """When they are removed."""


class Cluster(TypedDict):
    """Workers of a scan at one place; changed in place, by `uuid`."""

    uuid: str
    name: str
    """What users call it."""
    orchestrator: str
    location: dict[str, str]
    at: str
    """The location in one word, see `model.worker_pools.location_key`."""
    cluster_id: int | str | None
    """The backend's own name of it; None until it is started."""
    n_workers: int
    starter_info: FreeForm
    statuses: dict[str, dict[str, int]]
    """Job status -> pilot status -> number of workers."""
    top_task_errors: dict[str, int]
    errors_by_site: NotRequired[dict[str, dict[str, int]]]
    """Site that a worker was at -> error -> number of workers; where the place names sites."""
    attempt: int
    state: str
    """A `ClusterState`."""
    reason: str | None
    reason_code: str | None
    tries: int
    """Of its start."""
    leased_until: float
    due: float
    """When a try to start or stop it is overdue."""
    observed_at: float | None
    """When its figures last changed."""
    stale_since: float | None
    """Since when nothing newer is known; None while the location answers."""
    stale_reason: str | None
    dead_since: float | None
    """Since when no worker works any more."""
    started_at: NotRequired[float]
    stopping_since: NotRequired[float]
    logs: NotRequired[KeptLogs]
    memory: NotRequired[FreeForm | None]
    """What its backend wants to find at its next look."""


class EnvVars(TypedDict):
    """What a manifest shows of the environments, secrets masked: lists of {name, value, value_from}."""

    scanner_server: list[FreeForm]
    tms_starters: list[list[FreeForm]]


class Task(TypedDict):
    """The workforce of a scan; named as in v1's manifest."""

    tms_args: list[str]
    env_vars: EnvVars
    clusters: list[Cluster]
    complete: bool


class EventMetadata(TypedDict):
    """What a scanner says of its event."""

    run_id: int
    event_id: int
    event_type: str | None
    mjd: float
    is_real_event: bool


class Metadata(TypedDict, total=False):
    """What a scanner says once."""

    event_metadata: EventMetadata
    scan_metadata: FreeForm


class ProcessingStats(TypedDict):
    """Times of a scan, as its scanner says them."""

    start: FreeForm
    runtime: FreeForm
    rate: FreeForm
    end: str
    finished: bool
    predictions: FreeForm


class Progress(TypedDict):
    """A scanner's last progress report."""

    summary: str
    epilogue: str
    tallies: FreeForm
    processing_stats: ProcessingStats
    predictive_scanning_threshold: float
    last_updated: str
    start: NotRequired[float | None]
    """When the scanner began and ended, in seconds since the epoch; since v4."""
    end: NotRequired[float | None]


class Report(TypedDict):
    """Which progress report was taken last."""

    attempt: int
    finished: bool
    order: str
    """The report's `last_updated`, by which reports are ordered."""
    at: float
    """When it came."""


class ResultPointer(TypedDict):
    """Which version of a scan's result counts."""

    version: NotRequired["ObjectId"]
    """The `_id` of its first piece; missing once it is removed."""
    is_final: bool
    attempt: int
    bytes: int
    came_at: float
    removed_at: NotRequired[float]


class HistoryLine(TypedDict):
    """A phase that a scan has entered."""

    phase: str
    time: float
    cause: str
    """The id of an event, or a route."""
    function: str
    attempt: NotRequired[int]
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]


class FailedTry(TypedDict):
    """What was tried for a scan and has failed, once or again and again."""

    function: str
    cluster: str | None
    """The uuid of the cluster that it was tried for."""
    name: str | None
    """What users call that cluster."""
    event_type: str | None
    """Of a dead letter: the type of the event that was not delivered."""
    reason: str
    reason_code: str
    first: float
    last: float
    times: int
    recent: list[float]
    """The latest times."""


class OutboxEvent(TypedDict):
    """A CloudEvent that waits for the broker; `data` holds ids of what it is about."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: FreeForm
    priorityclass: NotRequired[str]
    traceparent: NotRequired[str]
    tracestate: NotRequired[str]


Outbox = dict[str, OutboxEvent]
"""Events by slot: one of a kind at most."""


class PixelsSeen(TypedDict):
    """How many pixels were done, by which attempt, and since when so while workers are known to run."""

    attempt: int
    done: int
    since: float


class Growth(TypedDict):
    """The first report of the current number of pixels.

    MongoDB's `$max` compares such objects field by field, in this order: a report of a later attempt, or of
    more pixels, replaces the stored one; among reports of the same number, the earliest stays.
    """

    attempt: int
    done: int
    minus_at: float
    """The time of the report, negative: the earliest is the greatest."""


class ScannerLease(TypedDict):
    """Who is at a scan's scanner server, and whether it is verified gone."""

    leased_until: float
    gone: bool


class Imported(TypedDict):
    """That a scan comes from another installation's database."""

    at: float
    """When it was written here."""
    digest: str
    """Of the scan as it was written: whatever differs from it was changed here, or there."""


class Scan(TypedDict):
    """A scan, without what grows with its age."""

    _id: str
    schema: int
    # the manifest's fields
    scan_id: str
    timestamp: float
    is_deleted: bool
    scanner_server_args: str
    priority: int
    classifiers: FreeForm
    event_i3live_json_dict__hash: str | None
    """Of scans that were imported from v1.1 and before."""
    i3_event_id: str
    ewms_task: Task
    event_metadata: EventMetadata | None
    scan_metadata: FreeForm | None
    progress: Progress | None
    last_updated: float
    phase: str
    attempt: int
    outcome: str | None
    reason: str | None
    reason_code: str | None
    submitted_by: str | None
    replaced_by_scan_id: str | None
    """The rescan that users are led to in its place."""
    # what the service keeps for itself
    request: Request
    phase_since: float
    not_before: float
    """When it may be admitted."""
    refusals: int
    """Of its start."""
    report: Report | None
    result: ResultPointer | None
    scanner: ScannerLease
    queues: NotRequired[ScannerLease]
    """The same of its queues at the message broker; missing where there were none."""
    watched: NotRequired[PixelsSeen]
    """How far the sweep has seen it come."""
    grown: NotRequired[Growth]
    """When the number of its pixels last grew."""
    stalled_since: NotRequired[float | None]
    """Since when no pixel has been done, if the stall was announced; None after it has resumed."""
    first_result_at: NotRequired[float]
    """When its first result was stored, which is announced once."""
    observation_asked_at: NotRequired[float]
    """When its scanner server last caused a look at its workers."""
    outbox_since: NotRequired[float]
    """Since when the outbox is not empty; missing while it is."""
    redriven: NotRequired[float]
    """When the sweep last drove it on."""
    trace: NotRequired[dict[str, str]]
    """The context of the span that its trace begins with."""
    first_scan_id: NotRequired[str]
    """Of a rescan: the scan that was asked for by hand."""
    # of imported scans
    imported: NotRequired[Imported]
    furthest_step: NotRequired[str]
    """The `Step` of its state code."""
    ewms_workflow_id: NotRequired[str | None]
    ewms_address: NotRequired[str | None]


class WholeScan(Scan):
    """A scan as it is stored, with what grows with its age."""

    pixels: NotRequired[list[list[float]]]
    """How far it had come, for a chart: `[time, pixels done, attempt]` of each of the latest reports."""
    history: list[HistoryLine]
    failed_tries: list[FailedTry]
    outbox: Outbox
    unnotified: NotRequired[Outbox]
    """Events that users can subscribe to, until their deliveries are stored."""
    unnotified_since: NotRequired[float]
    """Since when `unnotified` has had events; missing while it is empty."""


# --- parts of a scan ----------------------------------------------------------------------------------


class TaskClusters(TypedDict):
    """Only the clusters."""

    clusters: list[Cluster]


class ClusterAlive(TypedDict):
    """What the sweep looks at of a cluster."""

    uuid: str
    name: str
    n_workers: int
    statuses: dict[str, dict[str, int]]
    attempt: int
    state: str
    reason: str | None
    leased_until: float
    due: float
    stale_since: float | None
    dead_since: float | None


class TaskClustersAlive(TypedDict):
    """Of the clusters what the sweep looks at."""

    clusters: list[ClusterAlive]


class ClusterAttempt(TypedDict):
    """Only the attempt that a cluster is of."""

    attempt: int


class TaskAttempts(TypedDict):
    """Only the attempts that clusters are of."""

    clusters: list[ClusterAttempt]


class ClusterLeft(TypedDict):
    """Whether a cluster is gone, and the attempt that it is of."""

    attempt: int
    state: str


class TaskClustersLeft(TypedDict):
    """Only which clusters are gone, and of which attempts they are."""

    clusters: list[ClusterLeft]


class ClusterToObserve(TypedDict):
    """What an observation looks for, and what it compares with what it sees."""

    uuid: str
    at: str
    state: str
    cluster_id: int | str | None
    n_workers: int
    started_at: NotRequired[float]
    memory: NotRequired[FreeForm | None]
    statuses: dict[str, dict[str, int]]
    top_task_errors: dict[str, int]
    errors_by_site: NotRequired[dict[str, dict[str, int]]]
    reason: str | None
    reason_code: str | None
    dead_since: float | None
    stale_since: float | None
    stale_reason: str | None


class TaskClustersToObserve(TypedDict):
    """Of the clusters what an observation looks at."""

    clusters: list[ClusterToObserve]


class DebugMode(TypedDict):
    """Only what is kept for debugging."""

    debug_mode: list[str]


class TimeOfPixel(TypedDict):
    """Only which scanner was asked for, and how long a pixel may take."""

    docker_tag: str
    max_pixel_reco_time: int


class Tallies(TypedDict):
    """Only what a progress report says of pixels."""

    tallies: FreeForm


class IsFinal(TypedDict):
    """Only whether a result is final."""

    is_final: bool


class Version(TypedDict):
    """Only which version of a result counts."""

    version: "ObjectId"


class ScanPart(TypedDict):
    """What each part of a scan has."""

    _id: str


class ScanPhase(ScanPart):
    """Where a scan stands."""

    phase: str
    attempt: int


class ScanReported(ScanPhase):
    """What a result report is held against."""

    result: ResultPointer | None
    report: Report | None
    first_result_at: NotRequired[float]


class ScanToGrow(ScanPhase):
    """What more workers depend on."""

    request: Request
    ewms_task: TaskAttempts


class ScanWithRequest(ScanPhase):
    """What asking for workers and starting them depends on."""

    phase_since: float
    request: Request
    ewms_task: TaskClusters


class ScanToStopWorkers(ScanPart):
    """What stopping workers depends on."""

    request: DebugMode
    ewms_task: TaskClusters


class ScanWithClusters(ScanPhase):
    """What going on after the workers are gone depends on."""

    priority: int
    ewms_task: TaskClusters


class ScanToTearDown(ScanPhase):
    """What a tear-down depends on."""

    phase_since: float
    scanner: ScannerLease
    ewms_task: TaskClusters


class ScanToRepeat(ScanPart):
    """What a rescan depends on."""

    request: Request
    phase: str
    first_scan_id: NotRequired[str]
    imported: NotRequired[Imported]


class ScanInBacklog(ScanPart):
    """What a place in the backlog shows."""

    timestamp: float
    submitted_by: str | None
    priority: int
    not_before: float
    refusals: int
    reason: str | None
    reason_code: str | None
    phase_since: float


class Predictions(TypedDict):
    """Only what a scanner says of its end."""

    predictions: FreeForm
    finished: bool


class ProgressAtAGlance(TypedDict):
    """Only how far a scan is."""

    tallies: FreeForm
    processing_stats: Predictions


class ClusterAtAGlance(TypedDict):
    """What an overview says of a cluster."""

    name: str
    at: str
    attempt: int
    state: str
    n_workers: int
    statuses: dict[str, dict[str, int]]
    reason: str | None
    stale_since: float | None
    stale_reason: str | None


class TaskAtAGlance(TypedDict):
    """Only what an overview says of clusters."""

    clusters: list[ClusterAtAGlance]


class AskedClusters(TypedDict):
    """Only the workers that were asked for."""

    request_clusters: list[list[Any]]


class ReportedAt(TypedDict):
    """Only when a report came."""

    at: float


class ScanAtAGlance(ScanPart):
    """What an overview shows of a scan that was started."""

    timestamp: float
    priority: int
    phase_since: float
    outcome: str | None
    reason: str | None
    reason_code: str | None
    submitted_by: str | None
    event_metadata: EventMetadata | None
    result: NotRequired[IsFinal | None]


class ScanUnderWay(ScanAtAGlance, ScanPhase):
    """What an overview shows of a scan that is placed or stopping."""

    report: NotRequired[ReportedAt | None]
    progress: NotRequired[ProgressAtAGlance | None]
    watched: NotRequired[PixelsSeen]
    request: AskedClusters
    ewms_task: TaskAtAGlance


class ScanOver(ScanAtAGlance):
    """What an overview shows of a scan that has ended."""

    is_deleted: bool


class ScanToAdmit(ScanPart):
    """The head of the backlog."""

    priority: int
    trace: NotRequired[dict[str, str]]


class ScanAlive(ScanPhase):
    """What the sweep looks at."""

    phase_since: float
    reason: str | None
    priority: int
    outcome: str | None
    scanner: ScannerLease
    report: Report | None
    result: ResultPointer | None
    refusals: int
    redriven: NotRequired[float]
    trace: NotRequired[dict[str, str]]
    ewms_task: TaskClustersAlive
    request: TimeOfPixel
    progress: NotRequired[Tallies | None]
    watched: NotRequired[PixelsSeen]
    grown: NotRequired[Growth]
    stalled_since: NotRequired[float | None]


class PixelsOfScan(ScanPart):
    """The progress of a scan, report by report."""

    pixels: NotRequired[list[list[float]]]


class ScanToNotify(ScanPhase):
    """The fields of a scan that notifications contain, and that filters compare."""

    priority: int
    classifiers: FreeForm
    i3_event_id: str
    event_metadata: EventMetadata | None
    outcome: str | None
    reason: str | None
    reason_code: str | None
    submitted_by: str | None
    is_deleted: bool
    result: ResultPointer | None


class ScanAttempts(ScanPhase):
    """Whether attempts of a scan have ended, whose queues may be left."""

    ewms_task: TaskClustersLeft


class ScanAtLocation(ScanPart):
    """What an observation of a location looks at."""

    ewms_task: TaskClustersToObserve


class ClustersOfScan(ScanPart):
    """A scan's clusters."""

    ewms_task: TaskClusters


class HistoryOfScan(ScanPart):
    """A scan's history."""

    history: list[HistoryLine]


class FailedTriesOfScan(ScanPart):
    """What has failed for a scan."""

    failed_tries: list[FailedTry]


class OutboxOfScan(ScanPart):
    """What a scan has not published yet."""

    outbox: Outbox


class UnnotifiedOfScan(ScanPart):
    """Events of a scan that users can subscribe to, and whose deliveries are not stored yet."""

    unnotified: Outbox
    unnotified_since: float


class VersionOfScan(ScanPart):
    """Which version of its result a scan points to."""

    result: Version


class TraceOfScan(ScanPart):
    """Where a scan's trace begins."""

    trace: NotRequired[dict[str, str]]


# --- the small collections ----------------------------------------------------------------------------


class I3Event(TypedDict):
    """An i3live event, under the hash of its content."""

    _id: str
    schema: int
    json: bytes
    used_at: float
    """When a scan last began to use it, or was found to need it."""
    former_ids: NotRequired[list[str]]
    """The ids that it had in a database that was imported; users may still call it so."""


class ResultPiece(TypedDict):
    """A piece of a result."""

    _id: "ObjectId"
    schema: int
    scan_id: str
    version: "ObjectId"
    n: int
    json: bytes


class Submission(TypedDict):
    """Which scan a user's idempotency key stands for; `_id` is a digest of both."""

    _id: str
    schema: int
    content: str
    """A digest of what was submitted."""
    scan_id: str
    at: dt.datetime


class HandledEvent(TypedDict):
    """A dead letter that was noted; `_id` is the source and id of its event."""

    _id: str
    schema: int
    at: dt.datetime
    type: str


class Limits(TypedDict):
    """The permits of all scans."""

    _id: str
    schema: int
    running: list[str]
    starts: list[float]
    """When scans were started, the newest first."""


class ObservationLease(TypedDict):
    """Who is looking at a location, and whether it answers; `_id` names it."""

    _id: str
    schema: int
    leased_until: float
    silent_since: NotRequired[float]
    """Since when it does not answer; missing while it does."""
    reason: NotRequired[str]
    """Why it does not answer."""


class SweepRecord(TypedDict):
    """When the last sweep was done, and which duties failed, with the reason."""

    _id: str
    schema: int
    at: float
    failed: dict[str, str]


class PhaseTotals(TypedDict):
    """How long scans were in a phase."""

    count: int
    sum: float
    min: float
    max: float
    classes: dict[str, int]


class Totals(TypedDict, total=False):
    """What has been counted, and until when."""

    _id: str
    schema: int
    since: Required[float]
    until: Required[float]
    retries: dict[str, int]
    dead_letters: dict[str, int]
    phases: dict[str, PhaseTotals]


class ImportAside(TypedDict):
    """A document of a database that was imported, which could not be taken; `_id` says which."""

    _id: str
    schema: int
    collection: str
    scan_id: str | None
    reason: str
    json: bytes | None
    """What could be read of it, secrets masked; None where nothing could, or it is large."""
    at: float


# --- projections --------------------------------------------------------------------------------------


@cache
def projection(part: Hashable) -> Mapping[str, int]:
    """Make the projection that MongoDB gets for a part of a scan.

    Args:
        part: a TypedDict. A field whose type is not the scan's own is a part, too: only its fields are read.
    """
    return dict.fromkeys((path for path in _paths(cast(type, part), WholeScan) if path != "_id"), 1)


def _paths(part: type, whole: type) -> list[str]:
    paths: list[str] = []
    for name, annotation in part.__annotations__.items():
        inner, of_whole = inner_type(annotation), inner_type(whole.__annotations__[name])
        if inner is not None and of_whole is not None and inner is not of_whole:
            paths += [f"{name}.{path}" for path in _paths(inner, of_whole)]
        else:
            paths.append(name)
    return paths


def inner_type(annotation: Any) -> type | None:
    """Find the TypedDict in an annotation, of the object or of those in a list; None if it has none."""
    if is_typeddict(annotation):
        found: type = annotation
        return found
    if get_origin(annotation) in (list, NotRequired, Required, Union, UnionType):
        return next((inner for one in get_args(annotation) if (inner := inner_type(one))), None)
    return None
