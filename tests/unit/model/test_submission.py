"""The arguments of `POST /scan`: every way to get them wrong is refused by name, all problems at once."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import InvalidArguments
from skydriver.model.submission import (
    RealOrSimulated,
    ScanArguments,
    stored_request,
)
from skydriver.model.worker_pools import MAX_CLUSTERS
from skydriver.rest.arguments import validate
from tests.support.submission import EVENT, REQUIRED, named, problems, scan_arguments


def test_the_defaults_are_those_of_the_readme() -> None:
    assert scan_arguments().model_dump(exclude=set(REQUIRED)) == {
        "i3_event_id": None,
        "max_worker_runtime": None,  # the installation's: 24 hours
        "skyscan_mq_client_timeout_wait_for_first_message": -1,  # the image's
        "scanner_server_memory": 1_024_000_000,
        "worker_memory": 8_000_000_000,
        "worker_disk": 1_000_000_000,
        "memory": None,
        "debug_mode": [],
        "predictive_scanning_threshold": 1.0,
        "priority": 0,
        "classifiers": {},
        "scanner_server_env": {},
        "manifest_projection": None,
        "projection": None,
    }


NO_TEXT: list[Any] = [None, 7, 1.5, True, [], {}, ["latest"]]
BLANK = ["", " ", "\t", "\n"]
NO_INTEGER: list[Any] = [None, "", " ", "x", "1.5", 1.5, True, False, [], {}, 2**31, math.nan, math.inf]
NO_SIZE: list[Any] = [None, "", " ", "x", "8 apples", "-8G", "0", 0, -1, 1.5, True, [], {}, 2**53]
NO_COUNT: list[Any] = [0, -5, 1.5, "7", "", None, True, [], {}, 2**31]
NO_EXTENSION: list[Any] = [-1, 0.5, "0", None, True, False, [], 2**31]
NO_LABEL: list[Any] = ["x" * 26, [], {}, [1], {"a": 1}, math.nan, math.inf, 2**63]
NO_CONTENT: list[Any] = ["x" * 4097, "a\0b", [], {}, [1], math.nan, 2**63]
WRONG: dict[str, list[Any]] = {
    "docker_tag": [*NO_TEXT, *BLANK, "two words", "x" * 257],
    "cluster": [
        *(None, "", "sub-2", 7, True, {}, [], [[]], ["sub-2"], [["sub-2"]], [["sub-2", 1, 2]], [[7, 1]]),
        *({"sub-2": n} for n in NO_COUNT),
        *([["sub-2", 1], ["sub-2", n]] for n in NO_COUNT),
        [["sub-2", 1]] * (MAX_CLUSTERS + 1),
    ],
    "reco_algo": [*NO_TEXT, *BLANK, "two words", "a --nsides 8:0", "-c", "a;b", "a\n", "../a", "x" * 101],
    "event_i3live_json": [None, "", " ", "x", "7", "[]", "null", '"{}"', "{", 7, True, [], [EVENT]],
    # null means the event itself, as no argument does
    "i3_event_id": ["", " ", "x", "a" * 63, "A" * 64, "g" * 64, "a" * 65, 7, True, [], {}],
    "nsides": [
        *(None, "", "8:0", 7, True, [], {}, [8, 0]),
        *(
            {key: 0}
            for key in (
                "",
                " ",
                "x",
                "0",
                "-8",
                "08",
                "8.0",
                "+8",
                "3",
                "100",
                "1e3",
                "\N{FULLWIDTH DIGIT EIGHT}",
                str(2**30),
            )
        ),
        *({"8": extension} for extension in (1, *NO_EXTENSION)),
        *({"8": 0, "64": extension} for extension in (0, *NO_EXTENSION)),
        {"64": 0, "8": 12},
        {"8": 12, "64": 0},
        {"64": 12, "8": 1},
    ],
    "real_or_simulated_event": [None, "", " ", "Real", "REAL", "fake", 7, True, [], {}, ["real"]],
    "max_pixel_reco_time": [*NO_INTEGER, 0, -1],
    # null means the installation's default, as no argument does
    "max_worker_runtime": [*NO_INTEGER[1:], 0, -1],
    "skyscan_mq_client_timeout_wait_for_first_message": [*NO_INTEGER, -2],
    "scanner_server_memory": NO_SIZE,
    "worker_memory": NO_SIZE,
    "worker_disk": NO_SIZE,
    "memory": ["8G", 1, True, ["8G"]],
    "debug_mode": [None, "", " ", "logs", "Client-logs", 7, True, {}, [7], ["client-logs", "x"], [None]],
    "predictive_scanning_threshold": [
        *(None, "", " ", "x", True, False, [], {}),
        *(0, 0.0999, 1.0001, -1, 2, "nan", "inf", math.nan, math.inf, -math.inf),
    ],
    "priority": NO_INTEGER,
    "classifiers": [
        *(None, "", "x", 7, True, [], [["a", 1]]),
        {str(n): n for n in range(26)},
        *({key: 1} for key in ("x" * 26, "a\0b")),
        *({"key": value} for value in NO_LABEL),
    ],
    "scanner_server_env": [
        *(None, "", "x", 7, True, [], [["A", 1]]),
        {f"A{n}": n for n in range(26)},
        *({name: "1"} for name in ("", " ", "1A", "A B", "A=B", "A-B", "A\0", "Ä", "A" * 129)),
        *({"A": value} for value in NO_CONTENT),
        # what the service sets
        {"SKYSCAN_SKYDRIVER_ADDRESS": "http://elsewhere"},
        {"SKYSCAN_SKYDRIVER_SCAN_ID": "another"},
        {"SKYSCAN_BROKER_ADDRESS": "elsewhere"},
        {"SKYSCAN_BROKER_CLIENT": "pulsar"},
        {"EWMS_TMS_S3_URL": "http://elsewhere"},
        {"AWS_ACCESS_KEY_ID": "x"},
        # what decides which code runs where the server's secrets are, or whom it talks to
        *({name: "x"} for name in ("PYTHONPATH", "PYTHONWARNINGS", "LD_PRELOAD", "PATH", "BROWSER")),
        *({name: "x"} for name in ("BASH_ENV", "https_proxy", "SSL_CERT_FILE")),
        # what would be a secret on a stored request
        *({name: "x"} for name in ("SKYSCAN_SKYDRIVER_AUTH", "SKYSCAN_BROKER_AUTH", "MY_TOKEN", "db_passwd")),
    ],
    "manifest_projection": [7, True, {}, [7], [None], [["scan_id"]], ["scan_id"] * 101],
    "projection": [7, True, {}, [7], [None]],
}


def test_the_table_of_wrong_values_leaves_no_argument_out() -> None:
    assert set(WRONG) == set(ScanArguments.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}-{n}-{value!r}"[:60])
        for name, values in WRONG.items()
        for n, value in enumerate(values)
    ],
)
def test_bad_data_is_refused_by_its_argument(name: str, value: Any) -> None:
    found = problems(**{name: value})
    assert named(found) == {name}
    assert all(found.values())


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_argument_that_is_missing(name: str) -> None:
    given_ = {key: value for key, value in REQUIRED.items() if key != name}
    with pytest.raises(InvalidArguments) as caught:
        validate(ScanArguments, given_)
    assert caught.value.problems == {name: "is required"}
    assert str(caught.value) == f"argument {name}: is required"


def test_an_event_may_be_that_of_an_earlier_scan_but_not_two() -> None:
    event_id = "0a" * 32
    without = {name: value for name, value in REQUIRED.items() if name != "event_i3live_json"}
    arguments = validate(ScanArguments, {**without, "i3_event_id": event_id})
    assert (arguments.i3_event_id, arguments.event_i3live_json) == (event_id, None)
    assert problems(i3_event_id=event_id) == {
        "event_i3live_json": "must not be given together with i3_event_id"
    }


def test_a_wrong_event_id_is_one_problem() -> None:
    without = {name: value for name, value in REQUIRED.items() if name != "event_i3live_json"}
    with pytest.raises(InvalidArguments) as caught:
        validate(ScanArguments, {**without, "i3_event_id": "x"})
    assert set(caught.value.problems) == {"i3_event_id"}
    assert "an earlier scan" in caught.value.problems["i3_event_id"]


@pytest.mark.parametrize(
    "event", ['{"cr_zen": [NaN, -Infinity, 1.5]}', {"cr_zen": [math.nan, -math.inf, 1.5]}]
)
def test_nan_in_an_event_is_kept_as_null(event: Any) -> None:
    assert scan_arguments(event_i3live_json=event).event_i3live_json == b'{"cr_zen":[null,null,1.5]}'


@pytest.mark.parametrize("number", [2**63, 2**63 + 5, -(2**63) - 1, 10**30])
def test_a_whole_number_of_an_event_that_is_too_large_is_named(number: int) -> None:
    event = {"value": {"data": [{"event_id": number}]}}
    for given_ in (event, json.dumps(event)):
        assert problems(event_i3live_json=given_) == {
            "event_i3live_json": "value.data.0.event_id must be a whole number that fits into 64 bits"
        }


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [
        ("cluster", {"sub-2": 2**31}, "below 2147483648"),
        ("nsides", {"8": 0, "16": 10**20}, "from 0 to 2147483647"),
        ("worker_memory", "9999999999999GB", "below 2^53 bytes"),
        ("worker_disk", 2**53, "below 2^53 bytes"),
        ("scanner_server_env", {"A": "x" * 4097}, "more than 4096 characters"),
        ("scanner_server_env", {"A": "x\0"}, "a null character"),
    ],
)
def test_the_bound_that_a_value_breaks_is_told(name: str, value: Any, bound: str) -> None:
    found = problems(**{name: value})
    assert list(found) == [name]
    assert bound in found[name]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    arguments = scan_arguments(
        cluster={"sub-2": 3.0},
        nsides={"8": 0.0, "64": 12.0},
        max_pixel_reco_time=60.0,
        max_worker_runtime=7200.0,
        skyscan_mq_client_timeout_wait_for_first_message=-1.0,
        scanner_server_memory=1e9,
        priority=5.0,
    )
    assert arguments.cluster == [("sub-2", 3)]
    assert arguments.nsides == {"8": 0, "64": 12}
    assert (arguments.max_pixel_reco_time, arguments.max_worker_runtime, arguments.priority) == (60, 7200, 5)
    assert all(type(n) is int for n in (arguments.cluster[0][1], *arguments.nsides.values()))


def test_a_stored_request_can_be_sent_back() -> None:
    first = validate(ScanArguments, {**REQUIRED, "worker_memory": "4G", "scanner_server_env": {"A": "b"}})
    stored = stored_request(
        first,
        scan_id="0a",
        i3_event_id="0a" * 32,
        docker_tag="v3.1.4",
        max_worker_runtime=60,
        rest_address="http://here",
        submitted_by="someone",
    )
    again = validate(ScanArguments, {**stored, "priority": 7})
    assert (again.cluster, again.worker_memory) == (first.cluster, 4_000_000_000)
    assert (again.scanner_server_env, again.i3_event_id, again.priority) == ({"A": "b"}, "0a" * 32, 7)
    # A client that sends it back changes it by arguments; elsewhere two names of one argument are a mistake.
    changed = validate(ScanArguments, {**stored, "cluster": {"sub-2": 1}, "worker_memory": "5G"})
    assert (changed.cluster, changed.worker_memory) == ([("sub-2", 1)], 5_000_000_000)
    with pytest.raises(InvalidArguments, match="cluster and request_clusters are the same"):
        validate(ScanArguments, {**REQUIRED, "request_clusters": {"sub-2": 1}})


def test_sizes_may_be_whole_numbers_in_any_form() -> None:
    assert validate(ScanArguments, {**REQUIRED, "worker_memory": 8e9}).worker_memory == 8_000_000_000
    assert set(problems(worker_memory=8.5)) == {"worker_memory"}


def test_all_problems_are_named_at_once() -> None:
    # Where the other event's id is wrong, a missing event is no second problem.
    wrong = {name: values[0] for name, values in WRONG.items()} | {"event_i3live_json": 7}
    assert named(problems(**wrong, foo=1, bar=None)) == {*WRONG, "foo", "bar"}


def test_nothing_given_names_all_that_is_required() -> None:
    with pytest.raises(InvalidArguments) as caught:
        validate(ScanArguments, {})
    assert caught.value.problems == dict.fromkeys(REQUIRED, "is required")


def test_an_unknown_argument_is_named() -> None:
    assert problems(nside={"8": 0}) == {"nside": "is an unrecognized argument"}


def test_an_unknown_key_of_the_event_is_none_of_our_business() -> None:
    taken = scan_arguments(event_i3live_json={"anything": {"$where": [1]}}).event_i3live_json
    assert taken == b'{"anything":{"$where":[1]}}'


def test_an_event_as_text() -> None:
    as_text, as_object = scan_arguments(event_i3live_json=json.dumps(EVENT)), scan_arguments()
    assert as_text.event_i3live_json == as_object.event_i3live_json
    assert json.loads(as_text.event_i3live_json or b"") == EVENT
    assert scan_arguments(event_i3live_json="{}").event_i3live_json == b"{}"


def test_an_event_that_is_nested_too_deep_to_be_stored() -> None:
    assert set(problems(event_i3live_json='{"a":' * 300 + "1" + "}" * 300)) == {"event_i3live_json"}


@pytest.mark.parametrize(
    ("word", "is_real"),
    [
        ("real", True),
        ("real_event", True),
        ("sim", False),
        ("simulated", False),
        ("simulated_event", False),
    ],
)
def test_the_words_for_real_and_simulated(word: str, is_real: bool) -> None:
    assert scan_arguments(real_or_simulated_event=word).real_or_simulated_event.is_real is is_real
    assert RealOrSimulated(word).is_real is is_real


def test_the_old_memory_argument_may_be_given_empty() -> None:
    for nothing in (None, "", 0, False):
        assert scan_arguments(memory=nothing)


@pytest.mark.parametrize(
    ("asked", "modes"),
    [("client-logs", ["client-logs"]), (["client-logs"], ["client-logs"]), ([], [])],
)
def test_debug_mode_is_a_string_or_a_list(asked: Any, modes: list[str]) -> None:
    assert scan_arguments(debug_mode=asked).debug_mode == modes


@pytest.mark.parametrize("algorithm", ["dummy", "millipede_original", "splinempe_pointed", "v2.mine-1"])
def test_reco_algorithms(algorithm: str) -> None:
    assert scan_arguments(reco_algo=algorithm).reco_algo == algorithm


@pytest.mark.parametrize("threshold", [0.1, 0.5, 1, 1.0, "0.3"])
def test_thresholds_from_a_tenth_to_one(threshold: Any) -> None:
    assert scan_arguments(predictive_scanning_threshold=threshold).predictive_scanning_threshold == float(
        threshold
    )


@given(st.floats() | st.integers())
def test_a_threshold_is_in_range_or_refused(threshold: float) -> None:
    if 0.1 <= threshold <= 1:
        assert scan_arguments(predictive_scanning_threshold=threshold)
    else:
        assert named(problems(predictive_scanning_threshold=threshold)) == {"predictive_scanning_threshold"}


@pytest.mark.parametrize("priority", [-100, 0, 99, 100, 2000])
def test_priorities(priority: int) -> None:
    assert scan_arguments(priority=priority).priority == priority


def test_a_wait_of_zero_seconds_for_the_first_message_is_a_wait() -> None:
    name = "skyscan_mq_client_timeout_wait_for_first_message"
    assert getattr(scan_arguments(**{name: 0}), name) == 0


# --- the stored request --------------------------------------------------------------------------------


def stored(arguments: ScanArguments) -> Any:
    return stored_request(
        arguments,
        scan_id="5d2e",
        i3_event_id="e7e7",
        docker_tag="3.22.1",
        max_worker_runtime=86400,
        rest_address="https://skydriver.example.org",
        submitted_by="someone",
    )


def test_the_request_that_a_scan_keeps_has_every_default_filled() -> None:
    assert stored(scan_arguments()) == {
        "scan_id": "5d2e",
        "rescan_ids": [],
        "docker_tag": "3.22.1",
        "scanner_server_memory_bytes": 1_024_000_000,
        "reco_algo": "millipede_wilks",
        "nsides": {"8": 0, "64": 12, "512": 24},
        "real_or_simulated_event": "real",
        "predictive_scanning_threshold": 1.0,
        "classifiers": {},
        "request_clusters": [["sub-2", 1234]],
        "worker_memory_bytes": 8_000_000_000,
        "worker_disk_bytes": 1_000_000_000,
        "max_pixel_reco_time": 600,
        "max_worker_runtime": 86400,
        "priority": 0,
        "debug_mode": [],
        "skyscan_mq_client_timeout_wait_for_first_message": -1,
        "i3_event_id": "e7e7",
        "rest_address": "https://skydriver.example.org",
        "scanner_server_env_from_user": {},
        "submitted_by": "someone",
    }


def test_what_was_asked_for_wins_over_the_installations_default() -> None:
    request = stored(scan_arguments(max_worker_runtime=60, cluster=[["sub-2", 1], ["sub-2", 2]]))
    assert request["max_worker_runtime"] == 60
    assert request["request_clusters"] == [["sub-2", 1], ["sub-2", 2]]
