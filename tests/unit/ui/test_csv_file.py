"""Cells that a spreadsheet would run are texts."""

import pytest

from skydriver.ui.csv_file import COLUMNS, row


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum(a)", "\t=1", "\r=1"])
def test_a_text_is_no_formula(name: str) -> None:
    cells = dict(
        zip(COLUMNS, row({"scan_id": "a", "timestamp": 0.0, "classifiers": {}, "reason": name}), strict=True)
    )
    assert cells["reason"] == f"'{name}"


def test_numbers_and_what_is_missing() -> None:
    scan = {
        "scan_id": "a",
        "timestamp": 0.0,
        "classifiers": {"a": 1, "b": True},
        "priority": -5,
        "outcome": None,
    }
    cells = dict(zip(COLUMNS, row(scan), strict=True))
    assert (cells["priority"], cells["outcome"], cells["run_id"]) == ("-5", "", "")
    assert cells["classifiers"] == "a=1; b=True"
