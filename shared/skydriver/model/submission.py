"""The arguments of `POST /scan`, and the request that a scan keeps of them."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from skydriver.model.documents import Request
from skydriver.model.fields import (
    INT32_MAX,
    Boolean,
    Bytes,
    Integer,
    NoBool,
    NotNull,
    PositiveInteger,
    Scalar,
    whole,
)
from skydriver.model.json_text import check_integers, may_hold_long_integers, read_json, write_json
from skydriver.model.manifest_projection import ChangeArguments, ProjectionArguments
from skydriver.model.redaction import is_secret
from skydriver.model.worker_pools import MAX_CLUSTERS

MAX_LABELS = 25
MAX_LABEL_LENGTH = 25
MAX_ENVIRONMENT_VALUE = 4096
MAX_NSIDE = 2**29
"""HEALPix' own limit for 64-bit pixel indices."""

SERVICE_VARIABLES = re.compile(
    r"SKYSCAN_(SKYDRIVER_(ADDRESS|AUTH|SCAN_ID)|BROKER_(CLIENT|ADDRESS|AUTH)|EWMS_JSON)|EWMS_TMS_.*|AWS_.*"
)
"""Environment variables of the scanner server that the service sets; users cannot override them."""
CODE_VARIABLES = re.compile(
    r"PYTHON.*|LD_.*|DYLD_.*|PATH|HOME|SHELL|ENV|BASH_.*|IFS|BROWSER|.*_PROXY|SSL_CERT_.*|REQUESTS_CA_BUNDLE"
    r"|CURL_CA_BUNDLE",
    re.IGNORECASE,
)
"""Environment variables that decide which programs and modules a process runs, and whom it talks to: a user
who may set these runs code of their own where the server's secrets are."""


class RealOrSimulated(StrEnum):
    """Whether an event was measured or simulated, in the words that v1 took."""

    REAL = "real"
    REAL_EVENT = "real_event"
    SIM = "sim"
    SIMULATED = "simulated"
    SIMULATED_EVENT = "simulated_event"

    @property
    def is_real(self) -> bool:
        """True for a real event."""
        return self in (self.REAL, self.REAL_EVENT)


def _cluster_pairs(value: Any) -> Any:
    """Read `{name: n}` or `[[name, n], ...]` as a list of pairs; the list may name a cluster twice."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not pairs:
        raise ValueError('must be like {"sub-2": 1234} or [["sub-2", 56], ["sub-2", 1234]], and not empty')
    if len(pairs) > MAX_CLUSTERS:
        raise ValueError(f"must hold {MAX_CLUSTERS} entries at most")
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError("each entry must be a pair of a cluster's name and its number of workers")
        if not isinstance(pair[0], str):
            raise ValueError("a cluster's name must be a string")
        n_workers = whole(pair[1])
        if isinstance(n_workers, bool) or not isinstance(n_workers, int) or not 1 <= n_workers < 2**31:
            raise ValueError(f"n_workers of '{pair[0]}' must be a positive whole number below {2**31}")
    return pairs


def event_json(value: Any) -> bytes | None:
    """Take an event as an object or as the text of one, and write it as it is kept: JSON with sorted keys.

    Real alerts hold NaN where an estimate has failed: it is kept as null, as infinities are.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = read_json(value)
        except ValueError as error:
            raise ValueError(f"must be an event as JSON; the text given is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("must be an event: a JSON object, or a string that holds one")
    written = write_json(value, sort_keys=True)
    if may_hold_long_integers(written):
        # Its run and its number are to come back as metadata, which the database keeps as they are.
        check_integers(value)
    return written


def _nsides(value: Any) -> Any:
    """Check an nside progression by the scanner's rules (skymap_scanner v3, `--nsides`), and sort it.

    Nsides are powers of two; the extension of the smallest is 0, those of the others are positive. In what
    order they come says nothing: objects have none in JSON.
    """
    if not isinstance(value, dict) or not value:
        raise ValueError('must map nsides to pixel extensions, like {"8": 0, "64": 12, "512": 24}')
    progression = sorted((_nside(str(key)), whole(extension)) for key, extension in value.items())
    for nside, extension in progression:
        if isinstance(extension, bool) or not isinstance(extension, int) or not 0 <= extension < 2**31:
            raise ValueError(
                f"the pixel extension of nside {nside} must be a whole number from 0 to {2**31 - 1}"
            )
    (smallest, first), *others = progression
    if first != 0:
        raise ValueError(f"the smallest nside ({smallest}) must have the pixel extension 0")
    for nside, extension in others:
        if extension == 0:
            raise ValueError(
                f"the pixel extension of nside {nside} must be positive: only the smallest nside's is 0"
            )
    return {str(nside): extension for nside, extension in progression}


def _nside(text: str) -> int:
    nside = int(text) if re.fullmatch(r"[1-9][0-9]{0,9}", text) else 0
    if nside & (nside - 1) or not 1 <= nside <= MAX_NSIDE:
        raise ValueError(f"nside '{text}' must be a power of two, and {MAX_NSIDE} at most")
    return nside


def _debug_modes(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _labels(value: Any) -> Any:
    """Bound what users attach to a scan, as v1 did: it is for a few labels, not for data."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of labels")
    if len(value) > MAX_LABELS:
        raise ValueError(f"must hold {MAX_LABELS} entries at most")
    for key, label in value.items():
        if len(key) > MAX_LABEL_LENGTH or (isinstance(label, str) and len(label) > MAX_LABEL_LENGTH):
            raise ValueError(f"keys and string values must have {MAX_LABEL_LENGTH} characters at most")
        if "\0" in key:
            raise ValueError("keys must not hold a null character")
    return value


def _environment(value: Any) -> Any:
    """Check variables for the scanner server: names that a shell takes, none of the service's, no secret."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of environment variables")
    if len(value) > MAX_LABELS:
        raise ValueError(f"must hold {MAX_LABELS} entries at most")
    for name, content in value.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
            raise ValueError(f"'{name}' is no name of an environment variable")
        if SERVICE_VARIABLES.fullmatch(name):
            raise ValueError(f"'{name}' is set by the service and cannot be overridden")
        if CODE_VARIABLES.fullmatch(name):
            raise ValueError(
                f"'{name}' decides which code runs, or whom it talks to: it cannot be passed here"
            )
        if is_secret(name):
            raise ValueError(
                f"'{name}' looks like a secret, and requests are stored: it cannot be passed here"
            )
        if isinstance(content, str) and "\0" in content:
            raise ValueError(f"the value of '{name}' must not hold a null character")
        if isinstance(content, str) and len(content) > MAX_ENVIRONMENT_VALUE:
            raise ValueError(
                f"the value of '{name}' must not have more than {MAX_ENVIRONMENT_VALUE} characters"
            )
    return value


def _removed(value: Any) -> Any:
    if value:
        raise ValueError("is no longer taken: use 'worker_memory' and 'scanner_server_memory'")
    return value


Tag = Annotated[str, Field(pattern=r"^\S+$", max_length=256)]


Cluster = Annotated[
    list[tuple[str, int]],
    BeforeValidator(_cluster_pairs, json_schema_input_type=dict[str, int] | list[tuple[str, int]]),
]
RecoAlgo = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$", max_length=100)]
Nsides = Annotated[dict[str, int], BeforeValidator(_nsides, json_schema_input_type=dict[str, int])]
FirstMessage = Annotated[int, Field(ge=-1, le=INT32_MAX), NoBool, NotNull]
DebugModes = Annotated[
    list[Literal["client-logs"]],
    NotNull,
    BeforeValidator(
        _debug_modes, json_schema_input_type=list[Literal["client-logs"]] | Literal["client-logs"]
    ),
]
Threshold = Annotated[float, Field(ge=0.1, le=1.0, allow_inf_nan=False), NoBool]
Labels = Annotated[dict[str, Scalar], BeforeValidator(_labels, json_schema_input_type=dict[str, Scalar])]
Environment = Annotated[
    dict[str, Scalar], BeforeValidator(_environment, json_schema_input_type=dict[str, Scalar])
]
EventId = Annotated[str, Field(pattern=r"^([0-9a-f]{64}|[0-9a-f]{32})$")]
"""Of 64 digits; one of 32 is that of v1 and v2, of events that were imported."""
Event = Annotated[
    bytes | None, BeforeValidator(event_json, json_schema_input_type=dict[str, Any] | str | None)
]


class ScanArguments(ProjectionArguments):
    """The arguments of `POST /scan`, as the v1 README names them.

    What `GET /scan-request/SCAN_ID` answers can be sent back, changed or not, as with SkyDriver v2.2: names
    of stored requests are taken, too, and what the service has put there is not heeded.
    """

    docker_tag: Tag = Field(description="tag of the Skymap Scanner's image", examples=["v3.1.4", "latest"])
    cluster: Cluster = Field(
        description="worker clusters and their numbers of workers; a list may name a cluster twice",
        examples=[{"sub-2": 1234}, [["sub-2", 56], ["sub-2", 1234]]],
    )
    reco_algo: RecoAlgo = Field(
        description="name of the reconstruction algorithm", examples=["millipede_wilks"]
    )
    i3_event_id: EventId | None = Field(
        None,
        description="an earlier scan's event (`i3_event_id` of its manifest), in place of the event itself",
    )
    event_i3live_json: Event = Field(
        None,
        validate_default=True,
        description="Realtime's JSON event, or the text of it; required unless `i3_event_id` is given",
        examples=[{"value": {"data": {"run_id": 130033, "event_id": 50579430}}}],
    )
    nsides: Nsides = Field(
        description="the nside progression: powers of two with their pixel extensions; the smallest's is 0",
        examples=[{"8": 0, "64": 12, "512": 24}],
    )
    real_or_simulated_event: RealOrSimulated = Field(examples=["real"])
    max_pixel_reco_time: PositiveInteger = Field(
        description="seconds that the reconstruction of a pixel may take at most", examples=[600]
    )

    max_worker_runtime: PositiveInteger | None = Field(
        None, description="seconds that a worker may work at most; default: 24 hours"
    )
    skyscan_mq_client_timeout_wait_for_first_message: FirstMessage = Field(
        -1, description="seconds that a worker waits for its first pixel; -1: the image's default"
    )
    scanner_server_memory: Bytes = Field(1_024_000_000, description="default: 1024M", examples=["1024M"])
    worker_memory: Bytes = Field(8_000_000_000, description="default: 8G", examples=["8G"])
    worker_disk: Bytes = Field(1_000_000_000, description="default: 1G", examples=["1G"])
    memory: Annotated[Any, AfterValidator(_removed)] = Field(
        None, deprecated=True, description="refused: use `worker_memory` and `scanner_server_memory`"
    )
    debug_mode: DebugModes = Field(
        default_factory=list, description="`client-logs` keeps the workers' logs, and bounds their number"
    )
    predictive_scanning_threshold: Threshold = 1.0
    priority: Integer = Field(
        0,
        description="higher is sooner; >= 100 is reserved for realtime alerts, which are not throttled and "
        "need the role `realtime` or `system`",
    )
    classifiers: Labels = Field(
        default_factory=dict,
        description=f"labels of the user's own: at most {MAX_LABELS}, keys and texts of at most "
        f"{MAX_LABEL_LENGTH} characters",
    )
    scanner_server_env: Environment = Field(
        default_factory=dict, description="environment variables for the scanner server"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_stored_request(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        named = {name: value for name, value in given.items() if name not in _ARGUMENTS}
        # A whole request that is sent back is changed by arguments; else both names are a mistake.
        is_sent_back = "rescan_ids" in given
        for stored, name in _ARGUMENTS.items():
            if name is not None and stored in given:
                if name in given and is_sent_back:
                    continue
                if name in given:
                    raise PydanticCustomError("twice", f"{name} and {stored} are the same: give one of them")
                named[name] = given[stored]
        return named

    @field_validator("event_i3live_json", mode="before")
    @classmethod
    def _one_event(cls, value: Any, info: ValidationInfo) -> Any:
        # Where it is wrong it is not among the data: that is said of it, and nothing more.
        if value is None and info.data.get("i3_event_id", "wrong") is None:
            raise PydanticCustomError("missing", "is required")
        if value is not None and info.data.get("i3_event_id") is not None:
            raise ValueError("must not be given together with i3_event_id")
        return value


class RescanArguments(ChangeArguments):
    """The arguments of `POST /scan/SCAN_ID/actions/rescan`: whatever is not given is as it was."""

    abort_first: Boolean = Field(False, description="abort the earlier scan first, if it is still going on")
    replace_scan: Boolean = Field(
        False, description="lead users from the earlier scan to the new one (`replaced_by_scan_id`)"
    )
    docker_tag: Tag | None = None
    cluster: Cluster | None = None
    reco_algo: RecoAlgo | None = None
    nsides: Nsides | None = None
    real_or_simulated_event: RealOrSimulated | None = None
    max_pixel_reco_time: PositiveInteger | None = None
    max_worker_runtime: PositiveInteger | None = None
    skyscan_mq_client_timeout_wait_for_first_message: FirstMessage | None = None
    scanner_server_memory: Bytes | None = None
    worker_memory: Bytes | None = None
    worker_disk: Bytes | None = None
    debug_mode: DebugModes | None = None
    predictive_scanning_threshold: Threshold | None = None
    priority: Integer | None = None
    classifiers: Labels | None = None
    scanner_server_env: Environment | None = None


class AddWorkersArguments(ChangeArguments):
    """The arguments of `POST /scan/SCAN_ID/actions/add-workers`."""

    cluster: Cluster = Field(
        description="worker clusters and their numbers of workers, beside those that the scan has",
        examples=[{"sub-2": 100}],
    )
    n_workers: PositiveInteger | None = Field(
        None, description="with `cluster_location`, in place of `cluster`; the answer has `taskforce_uuid`"
    )
    cluster_location: str | None = Field(None, description="name of a worker cluster", examples=["sub-2"])

    @model_validator(mode="before")
    @classmethod
    def _of_one_cluster(cls, given: Any) -> Any:
        """Take v2's arguments, which name one cluster."""
        if not isinstance(given, dict) or not {"n_workers", "cluster_location"} & given.keys():
            return given
        if "cluster" in given:
            raise PydanticCustomError("twice", "give cluster, or n_workers and cluster_location")
        for name in ("n_workers", "cluster_location"):
            if name not in given:
                raise PydanticCustomError("together", f"{name} is required, too")
        n_workers = given["n_workers"]
        number = int(n_workers) if isinstance(n_workers, str) and n_workers.isdecimal() else n_workers
        return {**given, "cluster": [[given["cluster_location"], number]]}


_STORED_NAMES = {
    "docker_tag": "docker_tag",
    "scanner_server_memory": "scanner_server_memory_bytes",
    "reco_algo": "reco_algo",
    "nsides": "nsides",
    "real_or_simulated_event": "real_or_simulated_event",
    "predictive_scanning_threshold": "predictive_scanning_threshold",
    "classifiers": "classifiers",
    "cluster": "request_clusters",
    "worker_memory": "worker_memory_bytes",
    "worker_disk": "worker_disk_bytes",
    "max_pixel_reco_time": "max_pixel_reco_time",
    "max_worker_runtime": "max_worker_runtime",
    "priority": "priority",
    "debug_mode": "debug_mode",
    "skyscan_mq_client_timeout_wait_for_first_message": "skyscan_mq_client_timeout_wait_for_first_message",
    "scanner_server_env": "scanner_server_env_from_user",
}
"""The names that v1's stored requests have for arguments."""
_ARGUMENTS = {
    **{stored: name for name, stored in _STORED_NAMES.items() if stored != name},
    **dict.fromkeys(("scan_id", "rescan_ids", "rest_address", "submitted_by")),
}
"""The arguments that other names of stored requests stand for; None where they stand for none."""


def stored_request(
    arguments: ScanArguments,
    *,
    scan_id: str,
    i3_event_id: str,
    docker_tag: str,
    max_worker_runtime: int,
    rest_address: str,
    submitted_by: str | None,
) -> Request:
    """Make the request that a scan keeps: validated, defaults filled, the image's tag resolved."""
    request = {
        "max_worker_runtime": max_worker_runtime,
        **overrides(arguments),
        "docker_tag": docker_tag,
        "scan_id": scan_id,
        "rescan_ids": [],
        "i3_event_id": i3_event_id,
        "rest_address": rest_address,
        "submitted_by": submitted_by,
    }
    return cast(Request, request)


def overrides(arguments: ScanArguments | RescanArguments) -> dict[str, Any]:
    """Name the arguments that say something as stored requests name them."""
    said = arguments.model_dump(mode="json", include=set(_STORED_NAMES), exclude_none=True)
    return {_STORED_NAMES[name]: value for name, value in said.items()}


def workers_by_cluster(clusters: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up the workers asked for on each cluster, by its name."""
    workers: dict[str, int] = {}
    for name, n_workers in clusters:
        workers[name] = workers.get(name, 0) + n_workers
    return workers
