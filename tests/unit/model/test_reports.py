"""Reports as skymap_scanner v3 sends them (`PATCH manifest`, `PUT result`), and what is refused of them."""

import copy
import json
import math
from typing import Any

import jsonschema
import orjson
import pytest

from skydriver.errors import InvalidArguments
from skydriver.model.reports import MAX_DEPTH, MAX_STARTER_INFO, ManifestReport, ResultReport
from skydriver.rest.arguments import validate

EVENT_METADATA: dict[str, Any] = {
    "run_id": 130033,
    "event_id": 50579430,
    "event_type": "EHE",
    "mjd": 58018.87118553241,
    "is_real_event": True,
}
AT_START: dict[str, Any] = {
    "progress": {
        "summary": "The Skymap Scanner has started up.",
        "epilogue": "",
        "tallies": {
            "nsides": {
                "8": {
                    "done": 0,
                    "est. percent": "N/A (768 predicted)",
                    "est. percent (recos)": "N/A (768 predicted)",
                },
                "64": {
                    "done": 0,
                    "est. percent": "N/A (768 predicted)",
                    "est. percent (recos)": "N/A (768 predicted)",
                },
            },
            "total pixels": 0,
            "total recos": 0,
            "est. scan percent": "0/1536 (0.0000)",
            "est. scan timeline": {},
        },
        "processing_stats": {
            "start": {"scanner start": "2024-06-18 12:00:00"},
            "runtime": {"elapsed": "0:00:00"},
        },
        "predictive_scanning_threshold": 1.0,
        "last_updated": "2024-06-18 12:00:00",
    },
    "event_metadata": EVENT_METADATA,
    "scan_metadata": {
        "scan_id": "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90",
        "nside_progression": {"8": 0, "64": 12},
        "position_variations": 1,
    },
}
RATE = {
    "all recos": {
        "worker time": {"mean": "0:01:33", "median": "0:01:33", "slowest": "0:02:34", "fastest": "0:00:36"},
        "wall time": {"start": "2024-06-18 12:00:00", "end": "2024-06-18 12:05:28", "runtime": "0:05:28"},
    },
    "nside-8": {"worker time": {"mean": "0:01:33"}},
}
MID_SCAN: dict[str, Any] = {
    "summary": "The Skymap Scanner is busy scanning pixels.",
    "epilogue": "I will report back again in 60 seconds if I have an update.",
    "tallies": {
        "nsides": {
            "8": {
                "done": 675,
                "est. percent": "675/768 (0.8789)",
                "est. percent (recos)": "675/768 (0.8789)",
            }
        },
        "total pixels": 675,
        "total recos": 675,
        "est. scan percent": "675/3072 (0.2197)",
        "est. scan timeline": {"0.00033": "0:01:26", "0.1": "0:03:26", "0.2": "0:05:07"},
    },
    "processing_stats": {
        "start": {
            "scanner start": "2024-06-18 12:00:00",
            "reco start (on server)": "2024-06-18 12:00:00",
            "reco start (on first worker)": "2024-06-18 12:00:46",
        },
        "runtime": {"elapsed": "0:05:28", "startup runtime": "0:00:00"},
        "rate": RATE,
        "predictions": {"time left": "0:19:25", "total # of reconstructions": 3072},
    },
    "predictive_scanning_threshold": 1.0,
    "last_updated": "2024-06-18 12:05:28",
}
FINAL: dict[str, Any] = {
    **MID_SCAN,
    "summary": "The Skymap Scanner has finished.",
    "epilogue": "",
    "processing_stats": {
        **{key: value for key, value in MID_SCAN["processing_stats"].items() if key != "predictions"},
        "end": "2024-06-18 12:22:17",
        "finished": True,
    },
}
RESULT: dict[str, Any] = {
    "skyscan_result": {
        "nside-8": {
            "columns": ["index", "llh", "E_in", "E_tot"],
            "data": [[93, 3426.2874470086476, 21000.0, 29000.0]],
            "metadata": {"nside": 8, "complete": False, **EVENT_METADATA},
        }
    },
    "is_final": False,
}


def report(**parts: Any) -> dict[str, Any]:
    return validate(ManifestReport, parts).model_dump(exclude_unset=True)


def problems(model: type[Any], body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidArguments) as caught:
        validate(model, body)
    return caught.value.problems


def without(body: dict[str, Any], path: str) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    *parents, last = path.split(".")
    part = changed
    for parent in parents:
        part = part[parent]
    del part[last]
    return changed


def replaced(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    *parents, last = path.split(".")
    part = changed
    for parent in parents:
        part = part[parent]
    part[last] = value
    return changed


@pytest.mark.parametrize("progress", [AT_START["progress"], MID_SCAN, FINAL], ids=["start", "mid", "final"])
def test_a_scanners_progress_is_kept_word_for_word(progress: dict[str, Any]) -> None:
    assert report(progress=progress) == {"progress": progress}


def test_the_first_report_with_its_metadata() -> None:
    assert report(**AT_START) == AT_START


def test_what_a_report_leaves_out_is_filled_in_as_the_readme_says() -> None:
    stats = validate(ManifestReport, AT_START).model_dump()["progress"]["processing_stats"]
    assert stats == {
        "start": {"scanner start": "2024-06-18 12:00:00"},
        "runtime": {"elapsed": "0:00:00"},
        "rate": {},
        "end": "",
        "finished": False,
        "predictions": {},
    }


def test_an_event_type_that_is_not_known() -> None:
    metadata = {**EVENT_METADATA, "event_type": None}
    assert report(event_metadata=metadata) == {"event_metadata": metadata}


def test_the_version_of_skyreader_is_kept_out_so_that_a_repeat_without_it_is_equal() -> None:
    assert report(event_metadata={**EVENT_METADATA, "version": 1}) == {"event_metadata": EVENT_METADATA}


def test_unknown_keys_of_progress_are_dropped() -> None:
    progress = replaced(replaced(MID_SCAN, "mood", "good"), "processing_stats.mood", "good")
    assert report(progress=progress) == {"progress": MID_SCAN}


def test_unknown_keys_of_what_the_scanner_may_fill_freely_are_kept() -> None:
    progress = replaced(replaced(MID_SCAN, "tallies.mood", "good"), "processing_stats.rate.mood", [1])
    assert report(progress=progress) == {"progress": progress}


@pytest.mark.parametrize(
    "path",
    [
        "summary",
        "epilogue",
        "tallies",
        "processing_stats",
        "processing_stats.start",
        "processing_stats.runtime",
        "predictive_scanning_threshold",
        "last_updated",
    ],
)
def test_a_missing_key_of_progress_is_named(path: str) -> None:
    assert problems(ManifestReport, {"progress": without(MID_SCAN, path)}) == {
        f"progress.{path}": "is required"
    }


@pytest.mark.parametrize("key", EVENT_METADATA)
def test_a_missing_key_of_the_events_metadata_is_named(key: str) -> None:
    body = {"event_metadata": without(EVENT_METADATA, key)}
    assert problems(ManifestReport, body) == {f"event_metadata.{key}": "is required"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("summary", 7),
        ("summary", None),
        ("epilogue", ["x"]),
        ("tallies", "x"),
        ("tallies", None),
        ("tallies", []),
        ("processing_stats", "x"),
        ("processing_stats.start", None),
        ("processing_stats.runtime", "0:05:28"),
        ("processing_stats.rate", None),
        ("processing_stats.end", 7),
        ("processing_stats.finished", "perhaps"),
        ("processing_stats.finished", None),
        ("processing_stats.predictions", []),
        ("predictive_scanning_threshold", "x"),
        ("predictive_scanning_threshold", math.nan),
        ("predictive_scanning_threshold", True),
        ("last_updated", 1718712000),
        ("last_updated", None),
        ("last_updated", "2024-06-18\n12:00:00"),
        ("last_updated", "18 mai 2024 à midi"),
        ("last_updated", "2" * 65),
    ],
)
def test_a_wrong_value_in_progress_is_named(path: str, value: Any) -> None:
    assert set(problems(ManifestReport, {"progress": replaced(MID_SCAN, path, value)})) == {
        f"progress.{path}"
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("run_id", value) for value in list[Any](["x", None, 1.5, True, 2**63])),
        *(("event_id", value) for value in list[Any](["x", None, True, -(2**63) - 1])),
        *(("event_type", value) for value in list[Any]([7, ["EHE"]])),
        *(("mjd", value) for value in list[Any](["x", None, math.nan, math.inf, True])),
        *(("is_real_event", value) for value in list[Any](["perhaps", None, 7])),
    ],
)
def test_a_wrong_value_in_the_events_metadata_is_named(key: str, value: Any) -> None:
    body = {"event_metadata": {**EVENT_METADATA, key: value}}
    assert set(problems(ManifestReport, body)) == {f"event_metadata.{key}"}


@pytest.mark.parametrize("value", ["x", 7, True, [1], "", 0, False, []])
@pytest.mark.parametrize("name", ["progress", "event_metadata", "scan_metadata", "cluster"])
def test_a_part_that_is_no_object_is_named(name: str, value: Any) -> None:
    assert set(problems(ManifestReport, {name: value})) == {name}


@pytest.mark.parametrize("nothing", [None, {}])
@pytest.mark.parametrize("name", ["progress", "event_metadata", "scan_metadata", "cluster"])
def test_an_empty_part_means_nothing(name: str, nothing: Any) -> None:
    assert report(**{name: nothing}) == {name: None}
    jsonschema.validate({name: nothing}, ManifestReport.model_json_schema())


def test_an_unknown_part_is_named() -> None:
    assert problems(ManifestReport, {"clusters": {}}) == {"clusters": "is an unrecognized argument"}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


UNSTORABLE: dict[str, dict[str, Any]] = {
    "reference": {"$ref": "scans", "$id": 1},
    "reference within": {"a": [{"b": {"$ref": 1}}]},
    "nul": {"a\0b": 1},
    "big": {"a": 2**63},
    "small": {"a": [-(2**63) - 1]},
    "deep": nested(MAX_DEPTH + 1),
    "very deep": {"a": json.loads("[" * 900 + "]" * 900)},
}


@pytest.mark.parametrize("value", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_what_no_document_can_hold_is_refused(value: dict[str, Any]) -> None:
    assert set(problems(ManifestReport, {"scan_metadata": value})) == {"scan_metadata"}
    for part in ("tallies", "processing_stats.start", "processing_stats.rate"):
        body = {"progress": replaced(MID_SCAN, part, value)}
        assert set(problems(ManifestReport, body)) == {f"progress.{part}"}


@pytest.mark.parametrize(
    "value",
    [
        *({"0.1": {"est. percent": 1}}, {"a$b": 1}, {"$where": {"$set": 1}}, {"": None}),
        *({"a": 2**63 - 1}, nested(MAX_DEPTH)),
    ],
)
def test_keys_with_dots_and_the_like_are_kept(value: dict[str, Any]) -> None:
    assert report(scan_metadata=value) == {"scan_metadata": value}


def test_nan_in_a_report_is_null_where_any_document_may_stand() -> None:
    value = {"a": {"b": math.nan}, "c": [math.inf, 1.5]}
    assert report(scan_metadata=value) == {"scan_metadata": {"a": {"b": None}, "c": [None, 1.5]}}


CLUSTER: dict[str, Any] = {
    "uuid": "u",
    "orchestrator": "condor",
    "location": {"collector": "cm.example.org", "schedd": "sub.example.org"},
    "cluster_id": 1,
    "n_workers": 1,
}


@pytest.mark.parametrize(
    "change",
    [{"starter_info": {"args": "x" * MAX_STARTER_INFO}}, {"location": {"schedd": "x" * 1001}}],
    ids=["starter_info", "location"],
)
def test_a_cluster_that_takes_too_much_room_is_refused(change: dict[str, Any]) -> None:
    validate(ManifestReport, {"cluster": CLUSTER})
    ((argument, _),) = problems(ManifestReport, {"cluster": CLUSTER | change}).items()
    assert next(iter(change)) in argument


def test_a_result() -> None:
    report = validate(ResultReport, RESULT)
    assert (orjson.loads(report.skyscan_result), report.is_final) == tuple(RESULT.values())


def test_the_first_result_is_empty() -> None:
    body = {"skyscan_result": {}, "is_final": False}
    assert bytes(validate(ResultReport, body).skyscan_result) == b"{}"


def test_a_result_may_hold_null_energies_and_new_columns() -> None:
    result = {
        "nside-8": {
            "columns": ["index", "llh", "E_in", "E_tot", "X", "Y", "Z", "T"],
            "data": [[0, 1.0, None, None, 0.0, 0.0, 0.0, 0.0]],
            "metadata": {"version": 1, "event_type": None},
        }
    }
    report = validate(ResultReport, {"skyscan_result": result, "is_final": "true"})
    assert orjson.loads(report.skyscan_result) == result


@pytest.mark.parametrize("name", ["skyscan_result", "is_final"])
def test_both_arguments_of_a_result_are_required(name: str) -> None:
    assert problems(ResultReport, without(RESULT, name)) == {name: "is required"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("skyscan_result", value) for value in list[Any]([None, "", "x", 7, True, [], [1], {"a": 2**64}])),
        *(("is_final", value) for value in list[Any]([None, "", "x", 7, [], {}])),
        ("skyscan_result", {"a": "\ud800"}),
        ("skyscan_result", {"a": json.loads("[" * 300 + "]" * 300)}),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_argument_of_a_result_is_named(name: str, value: Any) -> None:
    assert set(problems(ResultReport, {**RESULT, name: value})) == {name}
