from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.documents import EnvVars, WholeScan
from skydriver.model.phases import Phase, scan_state
from skydriver.model.reasons import MAX_REASON, ReasonCode, Why, cut
from skydriver.model.scan import (
    history_entry,
    new_scan,
    scanner_id,
    scanner_name,
    split_scanner_id,
)

REQUEST: Any = {
    "scan_id": "5d2e",
    "priority": 5,
    "i3_event_id": "e7e7",
    "submitted_by": "someone",
    "classifiers": {},
}
ENV_VARS: EnvVars = {"scanner_server": [], "tms_starters": []}
OUTBOX: Any = {"scan_requested": {"id": "1"}}


def scan() -> WholeScan:
    return new_scan(
        REQUEST,
        now=1_700_000_000.5,
        function="create_scan",
        cause="requested",
        scanner_server_args="--reco-algo dummy",
        tms_args=["--uuid 1"],
        env_vars=ENV_VARS,
        classifiers={"a": 1},
        outbox=OUTBOX,
    )


def test_a_new_scan_waits_in_the_backlog_with_its_event_unpublished() -> None:
    new = scan()
    assert new["_id"] == new["scan_id"] == "5d2e"
    assert (new["phase"], new["attempt"], new["outcome"]) == (Phase.QUEUED, 0, None)
    assert new["outbox"] == OUTBOX
    assert new["timestamp"] == new["last_updated"] == new["outbox_since"] == 1_700_000_000.5
    assert new["history"] == [
        {"phase": "QUEUED", "time": 1_700_000_000.5, "cause": "requested", "function": "create_scan"}
    ]
    assert new["ewms_task"] == {
        "tms_args": ["--uuid 1"],
        "env_vars": ENV_VARS,
        "clusters": [],
        "complete": False,
    }
    assert scan_state(new) == "PENDING__PRESTARTUP"


def test_the_classifiers_shown_may_differ_from_those_asked_for() -> None:
    new = scan()
    assert new["classifiers"] == {"a": 1}
    assert new["request"]["classifiers"] == {}


def test_a_line_of_history_says_only_what_is_known() -> None:
    why = Why(ReasonCode.SCANNER_DIED, "r")
    line = history_entry("RUNNING", now=1.0, cause="c", function="f", attempt=2, why=why)
    assert line == {
        "phase": "RUNNING",
        "time": 1.0,
        "cause": "c",
        "function": "f",
        "attempt": 2,
        "reason": "r",
        "reason_code": "scanner_died",
    }


def test_a_line_of_history_is_bounded() -> None:
    why = Why(ReasonCode.SCANNER_DIED, "r" * 9999)
    line = history_entry("RUNNING", now=1.0, cause="c" * 9999, function="f", why=why)
    assert len(line["cause"]) == len(line["reason"] or "") == MAX_REASON


@given(st.text(max_size=60), st.integers(1, 50))
def test_a_text_is_cut_with_a_mark(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert short == text if len(text) <= limit else short == f"{text[: limit - 1]}…"


@pytest.mark.parametrize(
    ("attempt", "name", "own_id"),
    [
        (0, "skyscan-5d2e", "5d2e"),
        (1, "skyscan-5d2e", "5d2e"),
        (2, "skyscan-5d2e-2", "5d2e_2"),
        (10, "skyscan-5d2e-10", "5d2e_10"),
    ],
)
def test_names_of_attempts(attempt: int, name: str, own_id: str) -> None:
    assert scanner_name("5d2e", attempt) == name
    assert scanner_id("5d2e", attempt) == own_id


@given(st.uuids().map(lambda uuid: uuid.hex), st.integers(2, 1000))
def test_the_name_that_a_later_attempts_scanner_uses_leads_back_to_the_scan(
    scan_id: str, attempt: int
) -> None:
    assert split_scanner_id(scanner_id(scan_id, attempt)) == (scan_id, attempt)
    assert split_scanner_id(scanner_id(scan_id, 1)) == (scan_id, None)
    assert scanner_name(scan_id, attempt) != scanner_name(scan_id, attempt + 1)


@pytest.mark.parametrize("name", ["5d2e", "5d2e_", "5d2e_x", "a_b_2", "5d2e_-1", "5d2e_²", "_1", ""])
def test_a_name_that_names_no_attempt_is_the_scans_own(name: str) -> None:
    assert split_scanner_id(name) == (name, None)
