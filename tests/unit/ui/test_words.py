"""Times, numbers and names as pages write them."""

import pytest

from skydriver.ui.words import counted, event_name, iso, short_id, utc


def test_times_are_utc() -> None:
    assert (utc(1718712000.9), iso(1718712000.9)) == ("2024-06-18 12:00:00", "2024-06-18T12:00:00Z")


@pytest.mark.parametrize(("n", "text"), [(0, "0 workers"), (1, "1 worker"), (12345, "12,345 workers")])
def test_how_many(n: int, text: str) -> None:
    assert counted(n, "worker") == text


def test_names() -> None:
    assert short_id("5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90") == "5d2e7f0a"
    assert event_name({"run_id": 1, "event_id": 2}) == "run 1, event 2"
    assert event_name(None) == event_name({"run_id": None}) == ""
