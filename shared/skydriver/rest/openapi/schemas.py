"""What routes answer, as models for the interface's document; tests hold real answers against them.

Answers are made as plain objects, which is quicker; nothing here runs when a request is answered.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.model.reports import EventMetadata
from skydriver.model.subscriptions import DeliveryState, Protocol, SubscriptionState


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Error(_Answer):
    """What went wrong, in a sentence that names the argument and says what would be right."""

    code: int = Field(examples=[400])
    error: str = Field(examples=["argument cluster: is required"])


class Nothing(_Answer):
    """An empty object."""


class Cluster(_Answer):
    """Workers of a scan at one place."""

    orchestrator: str = Field(examples=["condor"])
    location: dict[str, str] = Field(examples=[{"collector": "cm.example.org", "schedd": "sub.example.org"}])
    uuid: str
    cluster_id: int | str = Field(description="an integer for condor, a string for k8s")
    n_workers: int
    starter_info: dict[str, Any]
    statuses: dict[str, dict[str, int]] = Field(
        description="job status -> pilot status -> number of workers",
        examples=[{"Running": {"Tasking": 90}, "Completed": {"Done": 10}}],
    )
    top_task_errors: dict[str, int] = Field(description="error -> number of workers")
    errors_by_site: dict[str, dict[str, int]] | None = Field(
        description="site (of Kubernetes: node) -> error -> number of workers, where the place names sites",
        examples=[{"WIPAC": {"no such file": 4}}],
    )
    name: str = Field(description="what users call it", examples=["sub-2"])
    state: ClusterState
    reason: str | None = Field(description="why it is in this state, in a sentence")
    reason_code: ReasonCode | None = Field(description="the same for programs")
    observed_at: float | None = Field(
        description="when the figures last changed, seconds since the epoch; they hold until `stale_since`"
    )
    stale_since: float | None = Field(
        description="since when nothing newer is known, seconds since the epoch; null while the place answers"
    )
    stale_reason: str | None = Field(description="why nothing newer is known")


class Task(_Answer):
    """The workforce of a scan."""

    tms_args: list[str]
    env_vars: dict[str, list[Any]] = Field(description="secrets are masked")
    clusters: list[Cluster] = Field(description="those that were started")
    complete: bool = Field(description="whether scanner server and workers are done, or to be stopped")


class ShownProgress(BaseModel):
    """The scanner's last progress report."""

    summary: str = Field(examples=["The Skymap Scanner is busy scanning pixels."])
    epilogue: str
    tallies: dict[str, Any]
    processing_stats: dict[str, Any]
    predictive_scanning_threshold: float
    last_updated: str = Field(examples=["2024-06-18 12:05:28"])


class Manifest(_Answer):
    """A scan's metadata; a projection leaves fields out."""

    scan_id: str = Field("", examples=["5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"])
    timestamp: float = Field(0.0, description="when it was asked for, seconds since the epoch")
    is_deleted: bool = False
    event_i3live_json_dict: dict[str, Any] | str | None = Field(
        {}, description="the event; a marker where left out, null where it is kept no longer"
    )
    scanner_server_args: str = ""
    priority: int = 0
    classifiers: dict[str, str | bool | int | float | list[Any] | None] = Field(
        default_factory=dict, description="lists only of scans of SkyDriver v2 that were imported"
    )
    event_i3live_json_dict__hash: str | None = Field(None, deprecated=True)
    i3_event_id: str = ""
    ewms_task: Task | None = None
    event_metadata: EventMetadata | None = None
    scan_metadata: dict[str, Any] | None = None
    progress: ShownProgress | None = None
    last_updated: float = Field(0.0, description="of anything in the manifest, seconds since the epoch")
    phase: Phase = Phase.QUEUED
    attempt: int = Field(0, description="launches of its scanner server so far")
    outcome: Outcome | None = None
    reason: str | None = Field(None, description="why it is in this state, in a sentence")
    reason_code: ReasonCode | None = Field(None, description="the same for programs")
    submitted_by: str | None = None
    replaced_by_scan_id: str | None = Field(None, description="the rescan that has taken its place")
    ewms_workflow_id: str | None = Field(None, description="of a scan of SkyDriver v2 that was imported")
    ewms_address: str | None = Field(None, description="of the EWMS that ran that workflow")


class ManifestWithTaskforce(Manifest):
    """A scan's metadata and, where one cluster was named, its workers' id."""

    taskforce_uuid: str = Field("", description="if `cluster_location` was given")
    n_workers: int = Field(0, description="if `cluster_location` was given")


class Result(_Answer):
    """A scan's result; an empty object before there is one."""

    scan_id: str = ""
    skyscan_result: dict[str, Any] = Field(
        default_factory=dict, description="skyreader's `SkyScanResult`, serialized; null stands for NaN"
    )
    is_final: bool = False


class Scan(_Answer):
    """A scan's manifest and result."""

    manifest: Manifest
    result: Result


class Pods(_Answer):
    """The pods of a scan's scanner server."""

    pod_status: dict[str, Any]
    pod_status_message: str = Field(examples=["retrieved", "in backlog"])
    pod_message: str = Field(description="the same, under v1's name")


class Server(_Answer):
    """Where a scanner server's logs are."""

    url: str


class Workforce(_Answer):
    """How many workers of a scan run."""

    workflow_id: str | None
    statuses: dict[str, dict[str, int]] = Field(
        description="job status -> pilot status -> number of workers", examples=[{"RUNNING": {"Tasking": 24}}]
    )
    n_running: int = Field(description="those that run, without pilots that have failed or are done")
    top_errors: dict[str, int]


class Taskforce(_Answer):
    """A worker cluster in EWMS' words."""

    taskforce_uuid: str
    cluster_location: str
    n_workers: int
    phase: str
    attempt: int
    cluster_id: int | str | None
    submit_dict: dict[str, Any]
    compound_statuses: dict[str, dict[str, int]]
    top_task_errors: dict[str, int]


class Taskforces(_Answer):
    """A scan's worker clusters."""

    taskforces: list[Taskforce]


class WorkflowId(_Answer):
    """The id of a scan's workforce."""

    workflow_id: str | None = Field(
        description="the scan's own id; of a scan that was imported from v2, that of its EWMS workflow"
    )
    requested_ewms_workflow: bool = Field(
        description="whether `workflow_id` is an id, and not v2's placeholder `not-yet-requested`"
    )
    eligible_for_ewms: bool = Field(
        description="whether there is, or will be, a `workflow_id`: true, as each scan has a workforce"
    )
    ewms_address: str | None = Field(
        description="of the EWMS that ran the workflow of an imported scan; else null: no EWMS is here"
    )


class Status(_Answer):
    """Where a scan stands."""

    scan_state: str = Field(examples=["IN_PROGRESS__PARTIAL_RESULT_GENERATED"])
    is_deleted: bool
    scan_complete: bool = Field(description="whether the workforce is done")
    clusters: list[Cluster]
    phase: Phase
    phase_since: float = Field(description="seconds since the epoch")
    attempt: int
    outcome: Outcome | None
    reason: str | None
    reason_code: ReasonCode | None
    reported_at: float | None = Field(description="when its scanner server's last progress report came")
    ewms_deactivated: str | None = Field(
        description="null, `FINISHED` or `ABORTED`: once set, the scanner server is to end"
    )
    ewms_workforce: Workforce
    scanner_server_logs: Server
    pods: Pods | None = Field(None, description="if `include_pod_statuses`")


class WorkersLogs(_Answer):
    """The logs of a cluster's workers, of a scan with `client-logs`."""

    name: str = Field(description="of the cluster, as users call it", examples=["sub-2"])
    uuid: str
    cluster_id: int | str
    n_workers: int = Field(description="whose logs are there")
    url: str | None = Field(description="of a zip file; valid for an hour")
    kept_until: float | None
    reason: str | None = Field(description="why there are none")


class Logs(_Answer):
    """Where logs can be seen."""

    scanner_server: Server
    worker_clusters: list[WorkersLogs]


class Event(_Answer):
    """A scan's event."""

    i3_event: dict[str, Any]


class Step(_Answer):
    """What happened to a scan."""

    phase: Phase
    time: float
    cause: str
    function: str
    attempt: int | None = None
    reason: str | None = None
    reason_code: ReasonCode | None = None


class FailedTry(_Answer):
    """What was tried for a scan and has failed, once or again and again."""

    function: str
    cluster: str | None = Field(description="the uuid of the worker cluster that it was tried for, if any")
    name: str | None = Field(description="what users call that cluster")
    event_type: str | None = Field(description="of a dead letter: the type of the event")
    reason: str
    reason_code: ReasonCode
    first: float = Field(description="when it failed first, seconds since the epoch")
    last: float
    times: int


class History(_Answer):
    """What happened to a scan, the oldest first, and what has failed on the way."""

    scan_id: str
    history: list[Step]
    failed_tries: list[FailedTry]


class Found(_Answer):
    """Manifests that match; without `ewms_task` and the event."""

    manifests: list[Manifest]
    cursor: str | None = Field(
        None, description="with a limit: what asks for the next page; null on the last one"
    )


class Waiting(_Answer):
    """A scan that waits to be started."""

    scan_id: str
    timestamp: float
    pending_timestamp: float = Field(description="when it was last tried; 0 if it was not")
    priority: int
    next_attempt: int
    reason: str | None
    reason_code: ReasonCode | None
    not_before: float = Field(description="when it may be tried again; 0 if at once")


class Limits(_Answer):
    """How many scans may be started, alerts aside, and how many were."""

    starts_per_minute: int
    started: int = Field(description="within the last minute")
    scans_running: int = Field(description="the most that may run at once")
    running: int


class Backlog(_Answer):
    """The scans that wait to be started, the next one first."""

    entries: list[Waiting]
    limits: Limits


class HoldUp(_Answer):
    """Why something does not go on."""

    code: ReasonCode = Field(description="for programs")
    reason: str = Field(description="a sentence for people")
    since: float | None = Field(description="seconds since the epoch; null where that is not known")


class Problem(HoldUp):
    """What is wrong with the service."""

    scan_id: str | None = Field(description="the scan that it is about, if it is one")


class LastSweep(_Answer):
    """The last sweep."""

    at: float | None = Field(description="when it was done, seconds since the epoch; null: none was yet")
    failed: dict[str, str] = Field(description="the duties that failed, with the reason")


class Outboxes(_Answer):
    """Scans whose events the broker has not taken yet."""

    n: int
    since: float | None


class DeadLetters(_Answer):
    """Events of a kind that the broker has given up within a day."""

    fact: str
    n: int
    last: float


class SilentLocation(_Answer):
    """A location of workers that does not answer."""

    location: str
    since: float
    reason: str


class ScanAtAGlance(_Answer):
    """A scan in an overview."""

    scan_id: str
    timestamp: float = Field(description="when it was asked for, seconds since the epoch")
    priority: int = Field(description="100 and more: an alert")
    submitted_by: str | None
    run_id: int | None
    event_id: int | None


class NsideDone(_Answer):
    """Pixels of an nside: how many are done, of how many."""

    nside: int
    done: int
    expected: int | None


class ClusterAtAGlance(_Answer):
    """A worker cluster in an overview."""

    name: str
    n_workers: int
    stale_since: float | None


class WorkersAtAGlance(_Answer):
    """A scan's workers in an overview."""

    running: int
    asked: int
    clusters: list[ClusterAtAGlance]


class ScanUnderWay(ScanAtAGlance):
    """A scan that is placed or stopping."""

    phase: Phase
    phase_since: float
    attempt: int
    outcome: Outcome | None
    nsides: list[NsideDone]
    reported_at: float | None
    predicted_end: float | None = Field(description="as its scanner predicts, seconds since the epoch")
    workers: WorkersAtAGlance
    has_result: bool
    held_up: HoldUp | None


class ScanWaiting(_Answer):
    """A place in the backlog."""

    scan_id: str
    place: int = Field(description="from 1")
    timestamp: float
    priority: int
    submitted_by: str | None
    not_before: float
    refusals: int
    held_up: HoldUp


class BacklogPage(_Answer):
    """A part of the backlog, the next to start first."""

    total: int
    since: float | None = Field(description="when the oldest of all was asked for")
    skip: int
    entries: list[ScanWaiting]


class ScanOver(ScanAtAGlance):
    """A scan that has ended within a day."""

    is_deleted: bool
    ended_at: float
    outcome: Outcome | None
    reason: str | None
    reason_code: ReasonCode | None
    has_result: bool


class EndedPage(_Answer):
    """What has ended within a day, the latest first; of deleted scans only those that were aborted."""

    counts: dict[str, int] = Field(description="by outcome")
    skip: int
    entries: list[ScanOver]


class Overview(_Answer):
    """The service at a glance."""

    is_well: bool
    problems: list[Problem] = Field(description="the gravest first; empty where all is well")
    sweep: LastSweep
    counts: dict[str, int] = Field(description="how many scans are in each phase but the last")
    outboxes: Outboxes
    dead_letters: list[DeadLetters]
    silent_locations: list[SilentLocation]
    limits: Limits
    running: list[ScanUnderWay] = Field(description="500 at most: alerts first, then by priority and age")
    backlog: BacklogPage
    ended: EndedPage


class Request(_Answer):
    """What was asked for, with defaults filled and the image's tag resolved."""

    scan_id: str
    rescan_ids: list[str]
    docker_tag: str
    scanner_server_memory_bytes: int
    reco_algo: str
    nsides: dict[str, int]
    real_or_simulated_event: str
    predictive_scanning_threshold: float
    classifiers: dict[str, str | bool | int | float | None]
    request_clusters: list[list[str | int]] = Field(examples=[[["sub-2", 1234]]])
    worker_memory_bytes: int
    worker_disk_bytes: int
    max_pixel_reco_time: int
    max_worker_runtime: int
    priority: int
    debug_mode: list[str]
    skyscan_mq_client_timeout_wait_for_first_message: int
    i3_event_id: str
    rest_address: str
    scanner_server_env_from_user: dict[str, str | bool | int | float | None]
    submitted_by: str | None


class SkymapEvent(_Answer):
    """The event of a skymap, as far as its result names it."""

    run_id: int | None
    event_id: int | None
    event_type: str | None
    mjd: float | None
    time_utc: str | None
    is_real_event: bool | None


class BestFit(_Answer):
    """The centre of the densest cell, in degrees."""

    ra: float = Field(description="ICRS")
    dec: float = Field(description="ICRS")
    l: float = Field(description="galactic longitude")  # noqa: E741 - the field's name for it
    b: float = Field(description="galactic latitude")
    nside: int


class CoarserMinimum(_Answer):
    """A coarser pixel with a lower llh than its finer ones."""

    nside: int
    ra: float
    dec: float
    llh: float
    lower_by: float


class NsidePixels(_Answer):
    """The pixels of an nside."""

    pixels: int
    without_likelihood: int


class Likelihoods(_Answer):
    """The range of -ln(likelihood)."""

    min: float
    max: float


class SkyRegion(_Answer):
    """A region; angles in degrees, errors in degrees of the coordinate."""

    level: str = Field(examples=["90"])
    threshold: float = Field(description="the probability, or 2 (llh - least llh)")
    definition: str = Field(examples=["probability"])
    floor_deg: float
    area_deg2: float = Field(description="as a reader of the FITS map finds it")
    contour_area_deg2: float | None = Field(
        description="inside of its contour: what IceCube publishes, and pictures and pages show"
    )
    moc_area_deg2: float = Field(description="of its cells")
    pixels: int
    ra_err_plus: float | None
    ra_err_minus: float | None
    dec_err_plus: float | None
    dec_err_minus: float | None
    contains_pole: str | None
    pieces: int
    less_than_a_pixel: bool
    touches_coarser: bool
    resolved: bool = Field(description="whether the numbers can be trusted: enough pixels, none coarser")
    clipped: bool = Field(description="whether it touches sky that was not scanned")


class SkyRegions(_Answer):
    """The regions by one definition."""

    floor_deg: float
    best_fit: BestFit
    regions: list[SkyRegion]


class Note(_Answer):
    """What is to be kept in mind."""

    code: str = Field(description="for programs")
    text: str = Field(description="for people")


class SkymapSummary(_Answer):
    """The numbers of a skymap, and links to its files and pictures."""

    event: SkymapEvent
    final: bool
    best_fit: BestFit
    coarser_minimum: CoarserMinimum | None
    nsides: dict[str, NsidePixels]
    llh: Likelihoods
    scanned_fraction: float
    definitions: dict[str, SkyRegions]
    resolved: bool
    clipped: bool
    notes: list[Note]
    scan_id: str
    links: dict[str, str] = Field(description="relative to the service's address")


class Outline(_Answer):
    """A piece of a region: closed rings of [ra, dec], in degrees."""

    outer: list[list[float]]
    holes: list[list[list[float]]]


class RegionWithRings(SkyRegion):
    """A region with the lines around its pieces."""

    rings: list[Outline]


class Contours(_Answer):
    """The lines around the regions of a definition."""

    definition: str
    floor_deg: float
    frame: str
    unit: str
    best_fit: BestFit
    regions: list[RegionWithRings]


class Moc(_Answer):
    """A region as a multi-order coverage map."""

    definition: str
    level: str
    floor_deg: float
    moc_area_deg2: float
    moc: dict[str, list[int]] = Field(description="order -> NESTED indices", examples=[{"9": [1041, 1042]}])


class MissingField(_Answer):
    """A field of a notice that is to be filled in by people."""

    field: str
    why: str
    hint: str


class GcnNotice(_Answer):
    """The draft of a GCN notice, and what is missing in it."""

    notice: dict[str, Any] = Field(description="the fields that are known, by GCN's schema")
    missing: list[MissingField]
    warnings: list[Note]


class Filters(_Answer):
    """The scans that a subscription is about: those that match all given filters."""

    scan_id: str = ""
    run_id: int = 0
    event_id: int = 0
    min_priority: int = 0
    submitted_by: str = ""
    classifiers: dict[str, str | bool | int | float | None] = Field(default_factory=dict)


class Subscription(_Answer):
    """A subscription."""

    subscription_id: str
    owner: str | None = Field(description="null where there is no login")
    protocol: Protocol
    sink: str = Field(description="masked", examples=["https://hooks.example.org/…"])
    types: list[str] = Field(examples=[["scan.first_result", "scan.finished"]])
    filters: Filters
    state: SubscriptionState
    reason: str | None = Field(description="why it is in this state, in a sentence")
    reason_code: ReasonCode | None = Field(description="the same for programs")
    created_at: float = Field(description="seconds since the epoch")
    expires_at: float = Field(description="when it ends unless it is renewed, seconds since the epoch")
    consented_at: float | None = Field(description="when its webhook has consented, seconds since the epoch")
    allowed_rate: int | None = Field(
        description="deliveries a minute that its webhook allows; null: any number"
    )
    failing_since: float | None = Field(description="since when no delivery has succeeded")


class SubscriptionWithSecret(Subscription):
    """A subscription and the secret of a webhook, which no other route answers."""

    secret: str | None = Field(description="signs deliveries to a webhook (HMAC); else null")


class ShownDelivery(_Answer):
    """A delivery of a notification."""

    event_id: str = Field(description="the same in each repeat")
    type: str = Field(examples=["org.icecube.skydriver.scan.finished.v1"])
    scan_id: str
    state: DeliveryState
    tries: int
    status: int | None = Field(description="of the receiver's last answer (HTTP or SMTP)")
    reason: str | None = Field(description="why the last try failed, in a sentence")
    reason_code: ReasonCode | None = Field(description="the same for programs")
    created_at: float = Field(description="seconds since the epoch")
    not_before: float = Field(description="when the next try may be, seconds since the epoch")
    delivered_at: float | None = Field(description="seconds since the epoch")


class SubscriptionWithDeliveries(Subscription):
    """A subscription and its latest deliveries, the newest first."""

    deliveries: list[ShownDelivery]


class Subscriptions(_Answer):
    """Subscriptions, by owner and age."""

    subscriptions: list[Subscription]


class Tried(_Answer):
    """The outcome of a test."""

    event_id: str
    is_delivered: bool
    status: int | None = Field(description="of the receiver's answer (HTTP or SMTP)")
    reason: str | None = Field(description="why it was not delivered, in a sentence")
    reason_code: ReasonCode | None = Field(description="the same for programs")
