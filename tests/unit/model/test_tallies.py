"""Pixels that are done, read from the reports of both eras."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.tallies import MAX_PIXELS, Tally, pixels_done, read_tallies


def test_tallies_are_sorted_by_nside_not_by_name() -> None:
    nsides = {n: {"done": 0, "est. percent": "N/A (1 predicted)"} for n in ("512", "8", "64")}
    assert [t.nside for t in read_tallies({"tallies": {"nsides": nsides}})] == [8, 64, 512]


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_begun_nsides_tell_how_many_pixels_there_are(done: int, expected: int) -> None:
    entry = {"done": done, "est. percent": f"{done}/{expected} ({done / expected:.4f})"}
    assert read_tallies({"tallies": {"nsides": {"8": entry}}}) == (Tally(8, done, expected, True),)


ANY_NUMBER = st.floats() | st.integers() | st.booleans() | st.none() | st.text()


@given(st.dictionaries(st.integers(0, 10**10 - 1).map(str), ANY_NUMBER), st.booleans())
def test_whatever_is_said_to_be_done_is_a_number_that_can_be_kept(
    done: dict[str, object], since_v4: bool
) -> None:
    entries = {
        nside: {"pixels": {"done": n, "generated": n}} if since_v4 else {"done": n}
        for nside, n in done.items()
    }
    progress = {"tallies": {"nsides": entries}}
    assert 0 <= pixels_done(progress) <= MAX_PIXELS
    for tally in read_tallies(progress):
        assert 0 <= tally.done <= MAX_PIXELS
        assert tally.expected is None or 0 <= tally.expected <= MAX_PIXELS


def test_a_sum_that_no_database_holds_is_cut() -> None:
    nsides = {str(nside): {"done": MAX_PIXELS} for nside in range(2000)}
    assert pixels_done({"tallies": {"nsides": nsides}}) == MAX_PIXELS


def test_a_scan_without_progress_has_no_tallies() -> None:
    assert read_tallies({}) == ()
    assert read_tallies({"tallies": {}}) == ()


def test_other_words_than_the_scanners_leave_the_number_open() -> None:
    entry = {"done": 3, "est. percent": "soon"}
    assert read_tallies({"tallies": {"nsides": {"8": entry}}}) == (Tally(8, 3, None, False),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("patch_first", (Tally(1, 0, 12, False), Tally(2, 0, 8, False))),
        ("patch_mid", (Tally(1, 1, 12, True), Tally(2, 0, 8, False))),
    ],
)
def test_reports_since_v4(shared: Path, name: str, expected: tuple[Tally, ...]) -> None:
    report = json.loads((shared / "data" / "scanner-v4" / "reports" / f"{name}.json").read_text())
    assert read_tallies(report["progress"]) == expected
    assert pixels_done(report["progress"]) == sum(tally.done for tally in expected)


def test_of_a_pixel_that_is_sent_in_part_all_is_expected() -> None:
    entry = {"pixels": {"done": 0, "generated": 0.14285714, "initial approximation total": 12.0}}
    assert read_tallies({"tallies": {"nsides": {"8": entry}}}) == (Tally(8, 0, 1, True),)


@pytest.mark.parametrize("value", [None, "3", True, float("nan"), {}, []])
def test_what_is_no_number_of_pixels_is_none(value: object) -> None:
    entry = {"pixels": {"done": value, "generated": value, "initial approximation total": value}}
    assert read_tallies({"tallies": {"nsides": {"8": entry}}}) == (Tally(8, 0, None, False),)
    assert pixels_done(None) == 0
