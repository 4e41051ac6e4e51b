"""Job ads become the figures that users see."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.workers.htcondor import job_summary
from skydriver.workers.htcondor.job_summary import JobGroup, Kinds, summarize

FAILED = "Failed to execute '/no/such/program': (errno=2: 'No such file')"
HELD = f"Error from slot1_3@worker-17.example.org: {FAILED}"


class Undefined(int):
    """What the bindings give for an undefined attribute: an integer of a kind."""


def ad(status: int, n: int = 0, **attributes: Any) -> dict[str, Any]:
    return {"ClusterId": 1, "SkyDriverClusterUuid": "u", "JobStatus": status, **attributes}


LATE = 7
"""A cluster whose input should have been spooled by now."""


def kinds(*ads: dict[str, Any]) -> Kinds:
    return summarize(ads, {LATE})


def held(reason: str = "Disk quota exceeded", code: int = 13, **attributes: Any) -> dict[str, Any]:
    return ad(5, HoldReason=reason, HoldReasonCode=code, HoldReasonSubCode=2, **attributes)


def pilot(status: int, said: str, error: str | None = None) -> dict[str, Any]:
    errors: dict[str, Any] = {} if error is None else {"HTChirpEWMSPilotError": error}
    return ad(status, HTChirpEWMSPilotStatus=said, **errors)


def test_statuses_have_two_levels() -> None:
    seen = kinds(
        ad(1), ad(1), pilot(2, "Tasking"), pilot(2, "Tasking"), ad(2), pilot(4, "Done"), ad(6), ad(7), ad(3)
    )
    assert job_summary.statuses(seen) == {
        "Idle": {"null": 2},
        "Running": {"Tasking": 2, "null": 1},
        "Completed": {"Done": 1},
        "Transferring Output": {"null": 1},
        "Suspended": {"null": 1},
        "Removed": {"null": 1},
    }
    assert job_summary.alive(seen) == 7


def test_an_ad_that_stands_for_many_jobs_counts_as_many() -> None:
    assert job_summary.statuses(kinds(ad(1, JobCount=40), ad(1), ad(2, JobCount=2))) == {
        "Idle": {"null": 41},
        "Running": {"null": 2},
    }


def test_errors_and_holds_are_counted_by_the_site_that_a_job_was_at() -> None:
    wipac, desy = {"MachineAttrGLIDEIN_Site0": "WIPAC"}, {"MATCH_EXP_JOBGLIDEIN_Site": "DESY"}
    seen = kinds(
        {**pilot(2, "FatalError", "no such file"), **wipac},
        {**pilot(2, "FatalError", "no such file"), **wipac},
        {**pilot(2, "FatalError", "killed"), **wipac},
        {**held(), **desy},
        {**pilot(2, "Tasking"), **desy},
        pilot(2, "FatalError", "somewhere"),
    )
    assert job_summary.errors_by_site(seen) == {
        "WIPAC": {"no such file": 2, "killed": 1},
        "DESY": {"Disk quota exceeded": 1},
    }
    assert job_summary.from_json(job_summary.to_json(seen)) == seen


def test_many_sites_are_cut_to_the_worst() -> None:
    jobs = [
        {**pilot(2, "FatalError", "x"), "MachineAttrGLIDEIN_Site0": f"site {n}"}
        for n in range(200)
        for _ in range(2 if n == 50 else 1)
    ]
    found = job_summary.errors_by_site(job_summary.truncated(kinds(*jobs)))
    assert len(found) == job_summary.MAX_SITES
    assert found["site 50"] == {"x": 2}
    # What was put together still counts.
    assert found[job_summary.OTHER] == {job_summary.OTHER: 100}


def test_equal_holds_on_different_machines_are_one() -> None:
    seen = kinds(held(HELD, 6), held(HELD.replace("1_3", "1_4").replace("17", "18"), 6))
    reason = f"Error: {FAILED}"
    assert job_summary.statuses(seen) == {f"Held: (6, 2) {reason}": {"null": 2}}
    assert job_summary.reason(seen) == f"held: {reason} (x2)"


def test_a_hold_without_words_is_shown_by_its_codes() -> None:
    seen = kinds(ad(5, HoldReasonCode=26, HoldReason=Undefined(2), HoldReasonSubCode=Undefined(2)))
    assert job_summary.statuses(seen) == {"Held: (26, 0)": {"null": 1}}
    assert job_summary.reason(seen) == "held: hold code (26, 0) (x1)"


def test_secrets_in_reasons_are_masked() -> None:
    url = "https://s3.example.org/b/k?X-Amz-Credential=x&X-Amz-Signature=abc"
    seen = kinds(held(f"Transfer of {url} failed"), pilot(2, "FatalError", f"cannot read {url}"))
    shown = f"{job_summary.statuses(seen)} {job_summary.errors(seen)} {job_summary.reason(seen)}"
    assert "https://s3.example.org/b/k?***" in shown
    assert "abc" not in shown


def test_the_rarest_holds_are_put_together() -> None:
    seen = kinds(*(held(f"reason {n:02}") for n in range(30) for _ in range(n + 1)))
    statuses = job_summary.statuses(seen)
    assert len(statuses) == job_summary.MAX_HOLDS + 1
    assert statuses["Held: (13, 2) reason 29"] == {"null": 30}
    assert sum(pilots["null"] for pilots in statuses.values()) == sum(range(31))
    assert "Held: other reasons" in statuses


def test_the_rarest_errors_are_put_together() -> None:
    seen = kinds(*(pilot(2, "Tasking", f"error {n:02}") for n in range(15) for _ in range(n + 1)))
    errors = job_summary.errors(seen)
    assert next(iter(errors)) == "error 14"
    assert errors["other"] == sum(range(1, 6))
    assert sum(errors.values()) == sum(range(16))


@pytest.mark.parametrize(
    ("one", "alive"),
    [
        (ad(1), True),
        (pilot(1, "FatalError"), True),
        (pilot(2, "Tasking", "a pixel failed"), True),
        (pilot(2, "FatalError"), False),
        (pilot(4, "Done"), False),
        (ad(3), False),
        (held(), False),
        (held("Spooling input data files", 16), True),
        (held("Spooling input data files", 16, ClusterId=LATE), False),
    ],
)
def test_which_jobs_are_alive(one: dict[str, Any], alive: bool) -> None:
    assert (job_summary.alive(kinds(one)) == 1) == alive


@pytest.mark.parametrize(
    ("ads", "words"),
    [
        ([ad(1), pilot(2, "Tasking")], None),
        ([held(), held(), held("no room")], "held: Disk quota exceeded (x2), no room (x1)"),
        ([ad(3, RemoveReason="via condor_rm (by user bob)")], "removed: via condor_rm (by user bob) (x1)"),
        (
            [ad(3, RemoveReason="The job attribute PeriodicRemove expression '..' evaluated to TRUE")],
            "removed: over the longest time that a worker may run (x1)",
        ),
        ([ad(4, ExitCode=0), pilot(4, "Done")], "ended by themselves (x2)"),
        ([ad(4, ExitCode=3), ad(4, ExitSignal=9, ExitCode=0)], "failed: exit code 3 (x1), signal 9 (x1)"),
        ([pilot(2, "FatalError", "no GCD"), pilot(4, "FatalError", "no GCD")], "failed: no GCD (x2)"),
        ([pilot(2, "FatalError")], "failed: FatalError (x1)"),
        ([held(), ad(4, ExitCode=1)], "held: Disk quota exceeded (x1); failed: exit code 1 (x1)"),
        (
            [held("a"), held("b"), held("c"), held("d"), held("d")],
            "held: d (x2), a (x1), b (x1), other reasons (x1)",
        ),
    ],
)
def test_what_has_become_of_those_that_are_not(ads: list[dict[str, Any]], words: str | None) -> None:
    assert job_summary.reason(kinds(*ads)) == words


def test_texts_are_fit_for_keys_of_a_document() -> None:
    seen = kinds(pilot(2, "Tasking", "a\0b\n  c" + "x" * 500))
    [error] = job_summary.errors(seen)
    assert error.startswith("ab cxxx")
    assert len(error) == job_summary.MAX_LENGTH


texts = st.text(max_size=5)
any_kind = st.builds(
    JobGroup,
    st.integers(0, 9),
    texts,
    texts,
    st.sampled_from(["", "Tasking", "FatalError"]),
    texts,
    st.booleans(),
)
any_kinds = st.dictionaries(any_kind, st.integers(1, 1000), max_size=100).map(Counter)


@given(any_kinds)
def test_what_is_packed_is_unpacked(seen: Kinds) -> None:
    assert job_summary.from_json(job_summary.to_json(seen)) == seen


@given(any_kinds)
def test_bounding_loses_no_job(seen: Kinds) -> None:
    kept = job_summary.truncated(seen)
    assert kept.total() == seen.total()
    assert job_summary.alive(kept) == job_summary.alive(seen)
    statuses = job_summary.statuses(kept)
    assert sum(sum(pilots.values()) for pilots in statuses.values()) == seen.total()


def test_bounding_bounds() -> None:
    seen = kinds(*(held(f"reason {n}") for n in range(500)))
    assert len(job_summary.truncated(seen)) == job_summary.MAX_KINDS + 1
