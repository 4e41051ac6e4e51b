"""The form of a scan: what is typed becomes the interface's arguments, and back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import InvalidArguments
from skydriver.model.submission import ScanArguments, stored_request
from skydriver.rest.arguments import validate
from skydriver.ui.scan_form import (
    arguments_of,
    changes_of,
    event_summary,
    fields_of_request,
    read_nsides,
    shown_form,
)
from tests.conftest import ROOT

EVENT = (ROOT / "examples" / "IC170922A.json").read_text()
TYPED = {
    "event": EVENT,
    "docker_tag": "3.4.0",
    "reco_algo": "splinempe",
    "nsides": "8:0, 64:12",
    "real_or_simulated_event": "simulated",
    "max_pixel_reco_time": "600",
    "priority": "7",
    "predictive_scanning_threshold": "0.5",
    "classifiers": "who=me\nn=1\nx=1.5\nok=true\nword=a = b",
    "workers-local": "3",
    "workers-other": "",
    "client_logs": "on",
    "max_worker_runtime": "",
    "worker_memory": "4G",
    "scanner_server_env": "SKYSCAN_X=1",
}


def request_of(typed: dict[str, str]) -> Any:
    return stored_request(
        validate(ScanArguments, arguments_of(typed)),
        scan_id="5d2e",
        i3_event_id="a" * 64,
        docker_tag="3.4.0",
        max_worker_runtime=86400,
        rest_address="",
        submitted_by=None,
    )


def test_what_is_typed_is_what_is_asked_for() -> None:
    request = request_of(TYPED)
    assert request["request_clusters"] == [["local", 3]]
    assert request["nsides"] == {"8": 0, "64": 12}
    assert request["classifiers"] == {"who": "me", "n": 1, "x": 1.5, "ok": True, "word": "a = b"}
    assert request["debug_mode"] == ["client-logs"]
    assert request["predictive_scanning_threshold"] == 0.5
    assert request["worker_memory_bytes"] == 4_000_000_000
    assert request["scanner_server_env_from_user"] == {"SKYSCAN_X": 1}


def test_a_form_filled_like_an_earlier_scan_asks_for_the_same() -> None:
    request = request_of(TYPED)
    again = request_of(fields_of_request(request))
    assert again == {**request, "real_or_simulated_event": again["real_or_simulated_event"]}


def test_a_rescan_changes_only_what_was_changed() -> None:
    before = fields_of_request(request_of(TYPED))
    stays = {"abort_first": False, "replace_scan": False}
    assert changes_of(before, before) == stays
    assert changes_of({**before, "priority": "9", "abort_first": "on"}, before) == {
        **stays,
        "priority": 9,
        "abort_first": True,
    }
    without = {name: text for name, text in before.items() if name != "client_logs"}
    assert changes_of({**without, "workers-local": "4"}, before) == {
        **stays,
        "cluster": [["local", 4]],
        "debug_mode": [],
    }


def test_a_rescan_does_not_ask_for_a_cluster_that_the_form_no_longer_shows() -> None:
    gone = {**fields_of_request(request_of(TYPED)), "workers-gone": "5"}
    sent = {name: text for name, text in gone.items() if name != "workers-gone"}
    stays = {"abort_first": False, "replace_scan": False}
    assert changes_of(sent, gone) == {**stays, "cluster": [["local", 3]]}
    with pytest.raises(InvalidArguments) as error:
        changes_of({**sent, "workers-local": ""}, gone)
    assert error.value.problems.keys() == {"cluster"}
    # Of known clusters the order of the form is none of a change.
    two = {**sent, "workers-another": "2"}
    assert changes_of({"workers-another": "2", **sent}, two) == stays


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"nsides": "8"}, "nsides", "must be like 8:0 64:12 512:24"),
        ({"nsides": "8:0 8:1"}, "nsides", "each nside once"),
        ({"nsides": "7:0"}, "nsides", "must be a power of two"),
        ({"classifiers": "word"}, "classifiers", "NAME=VALUE"),
        ({"workers-local": ""}, "cluster", "one cluster at least"),
        ({"workers-local": "some"}, "cluster", "positive whole number"),
        ({"priority": "high"}, "priority", "valid integer"),
        ({"max_pixel_reco_time": ""}, "max_pixel_reco_time", "valid integer"),
        ({"event": ""}, "event", "is required"),
        ({"event": "{"}, "event", "not JSON"),
        ({"predictive_scanning_threshold": "2"}, "predictive_scanning_threshold", "less than or equal to 1"),
        ({"scanner_server_env": "MY_TOKEN=x"}, "scanner_server_env", "looks like a secret"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    configure: Callable[..., None], changed: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(InvalidArguments) as error:
        validate(ScanArguments, arguments_of({**TYPED, **changed}))
    form = shown_form({**TYPED, **changed}, problems=error.value.problems)
    assert words in form["problems"][field]
    assert not form["general"]
    assert form["fields"][field if field in changed else next(iter(changed))] == next(iter(changed.values()))


def test_a_problem_of_no_field_is_said_before_them(configure: Callable[..., None]) -> None:
    assert shown_form({}, problems={"": "the backlog is full"})["general"] == ["the backlog is full"]


def test_clusters_are_shown_with_their_limits(configure: Callable[..., None]) -> None:
    clusters = {one["name"]: one for one in shown_form({"workers-local": "5"})["clusters"]}
    assert clusters["local"]["max_workers"] == 100
    assert clusters["local"]["value"] == "5"
    assert clusters["other"]["max_debug_workers"] == 10


def test_an_event_shows_what_is_in_it() -> None:
    found = dict(event_summary(EVENT))
    assert found["Run"] == "130033"
    assert found["Event"] == "50579430"
    assert found["Time"].startswith("2017-09-22 20:54:30")


@pytest.mark.parametrize("text", ["", "x", "[]", "null", '{"value": 1}', '{"value": {"data": []}}'])
def test_what_is_no_event_shows_nothing(text: str) -> None:
    assert event_summary(text) == []


def test_an_odd_event_shows_what_it_can() -> None:
    odd = {"value": {"data": {"run_id": "<b>", "reco": 5, "nch": None}, "streams": "x"}}
    assert event_summary(json.dumps(odd)) == [("Run", "<b>")]


def test_nsides_may_be_separated_by_commas() -> None:
    assert read_nsides("8:0,64:12") == {"8": 0, "64": 12}
