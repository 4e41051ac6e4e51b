"""What a scanner server reports: progress, metadata and results (skymap_scanner v3 and v4)."""

from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from skydriver.model.fields import INT32_MAX, Boolean, Integer, Integer64, NoBool, Number
from skydriver.model.json_text import INT64, check_integers, write_json
from skydriver.model.manifest_projection import ProjectionArguments
from skydriver.model.worker_pools import CondorLocation, KubernetesLocation

MAX_DEPTH = 50
"""MongoDB refuses documents of more than 100 levels (its manual, "Limits and Thresholds")."""
MAX_STARTER_INFO = 2**16
"""Bytes of what a starter says of itself: v1's gave a submit description, or a Job, of some kilobytes."""


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a document cannot hold: deep nesting, some names, big integers.

    NaN and infinities become null, as in events and results: a refusal would end the scanner.
    Walks once, since every report passes here, and without recursion: the depth of a body is bounded by its
    size only.
    """
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"must not be nested deeper than {MAX_DEPTH}")
        if isinstance(item, dict):
            for key in item:
                # What begins with "$ref" comes back from the database as a reference of its driver's own.
                if "\0" in key or key == "$ref":
                    raise ValueError("keys must not hold a null character, or be '$ref'")
        for key, inner in item.items() if isinstance(item, dict) else enumerate(item):
            if isinstance(inner, str):
                continue
            if isinstance(inner, dict | list):
                waiting.append((inner, depth + 1))
            elif isinstance(inner, float):
                if not isfinite(inner):
                    item[key] = None
            elif isinstance(inner, int) and inner not in INT64:
                check_integers(value)  # which names its place
    return value


def _none_for_empty(value: Any) -> Any:
    """Replace an empty part of a report by None, as v1 did."""
    return None if value == {} else value


Storable = Annotated[dict[str, Any], AfterValidator(_storable)]


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(write_json(value)) > MAX_STARTER_INFO:
        raise ValueError(f"must not be longer than {MAX_STARTER_INFO} bytes of JSON")
    return value


class ProcessingStats(BaseModel):
    """`progress.processing_stats`; unknown keys are dropped, as v1 did."""

    start: Storable
    runtime: Storable
    rate: Storable = Field(default_factory=dict)
    end: str = ""
    finished: bool = False
    predictions: Storable = Field(default_factory=dict)


class Progress(BaseModel):
    """`progress` of a manifest. `last_updated` is the scanner's own clock, as text that sorts by time."""

    summary: str
    epilogue: str
    tallies: Storable
    processing_stats: ProcessingStats
    predictive_scanning_threshold: Number
    # The event that tells of the report has it in its id, which is a header.
    last_updated: Annotated[str, Field(pattern=r"^[ -~]*$", max_length=64)]
    start: Integer64 | None = None
    end: Integer64 | None = None


class EventMetadata(BaseModel):
    """`event_metadata` of a manifest; `version` (skyreader 1.4 and later) and other new keys are kept out."""

    run_id: Integer64
    event_id: Integer64
    event_type: str | None
    mjd: Number
    is_real_event: bool


class _ClusterReport(BaseModel):
    uuid: Annotated[str, Field(pattern=r"^\w+$", max_length=64)]
    n_workers: Annotated[int, Field(ge=0, le=INT32_MAX), NoBool]
    starter_info: Annotated[Storable, AfterValidator(_small)] = Field(default_factory=dict)
    statuses: Annotated[dict[str, dict[str, Integer]], AfterValidator(_storable)] = Field(
        default_factory=dict
    )
    top_task_errors: Annotated[dict[str, Integer], AfterValidator(_storable)] = Field(default_factory=dict)


class CondorClusterReport(_ClusterReport):
    """What a starter of workers says of an HTCondor cluster; v1's starters give its number as a text."""

    orchestrator: Literal["condor"]
    location: CondorLocation
    cluster_id: Integer64


class KubernetesClusterReport(_ClusterReport):
    """What a starter of workers says of a Kubernetes Job, whose name is the cluster's id."""

    orchestrator: Literal["k8s"]
    location: KubernetesLocation
    cluster_id: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]


ClusterReport = Annotated[CondorClusterReport | KubernetesClusterReport, Field(discriminator="orchestrator")]
"""What a starter of workers says of a cluster, as v1's client manager did: told apart by its `uuid`."""


_Empty = Annotated[dict[str, Any], Field(max_length=0)]


class ManifestReport(ProjectionArguments):
    """The arguments of `PATCH /scan/SCAN_ID/manifest`. Empty parts mean nothing, as in v1."""

    model_config = ConfigDict(extra="forbid")

    progress: Annotated[
        Progress | None,
        BeforeValidator(_none_for_empty, json_schema_input_type=Progress | _Empty | None),
    ] = None
    event_metadata: Annotated[
        EventMetadata | None,
        BeforeValidator(_none_for_empty, json_schema_input_type=EventMetadata | _Empty | None),
    ] = None
    scan_metadata: Annotated[Storable | None, BeforeValidator(_none_for_empty)] = None
    cluster: Annotated[
        ClusterReport | None,
        BeforeValidator(_none_for_empty, json_schema_input_type=ClusterReport | _Empty | None),
    ] = None


def result_json(value: Any) -> memoryview:
    """Take a result as it is kept, which is JSON, or as an object, and write that: `{}` for an empty one."""
    if isinstance(value, memoryview):
        return value
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return memoryview(write_json(value))


class ResultReport(BaseModel):
    """The arguments of `PUT /scan/SCAN_ID/result`; the result as it is kept, since it may be large."""

    model_config = ConfigDict(extra="forbid")

    skyscan_result: Annotated[memoryview, PlainValidator(result_json, json_schema_input_type=dict[str, Any])]
    is_final: Boolean
