"""What can be done to a scan, by its phase."""

import pytest

from skydriver.model.phases import Phase
from skydriver.ui.actions import ACTIONS, actions_for, notice_of


def names(phase: Phase) -> list[str]:
    return [action["name"] for action in actions_for(phase)]


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.LAUNCHING, Phase.RUNNING])
def test_a_scan_that_goes_on_can_be_aborted_and_given_workers(phase: Phase) -> None:
    assert names(phase) == ["abort", "add-workers", "rescan"]


@pytest.mark.parametrize("phase", [Phase.STOPPING, Phase.ENDED])
def test_a_scan_that_is_complete_can_be_hidden(phase: Phase) -> None:
    assert names(phase) == ["rescan", "hide"]


def test_a_notice_is_one_of_ours() -> None:
    assert all(notice_of(name) == action.done for name, action in ACTIONS.items())
    assert notice_of("<script>") == ""
