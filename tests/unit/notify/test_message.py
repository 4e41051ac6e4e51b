"""The text of notifications."""

import pytest

from skydriver.model.subscriptions import NOTIFIED, TEST_FACT
from skydriver.model.transitions import Fact
from skydriver.notify.message import message_of
from skydriver.skymap.definitions import Definition
from tests.support.notifications import a_notification


@pytest.mark.parametrize("fact", [*NOTIFIED, TEST_FACT])
def test_each_fact_has_a_title_and_a_sentence(fact: str) -> None:
    message = message_of(a_notification(fact=fact))
    assert message.title.startswith("SkyDriver: ")
    assert message.title.endswith(", run 139534, event 12345")
    assert message.sentence.startswith("The scan of run 139534, event 12345 ")
    assert "\n" not in message.title


def test_the_titles_of_facts_differ() -> None:
    said = [message_of(a_notification(fact=fact)) for fact in (*NOTIFIED, TEST_FACT)]
    assert len({message.title for message in said}) == len({message.sentence for message in said}) == 7


def test_numbers_come_with_their_frame_unit_and_definition() -> None:
    facts = dict(message_of(a_notification()).facts)
    assert facts["Best fit"] == "RA 123.4568°, Dec -5.4321° (ICRS; nside 512)"
    assert facts["90 % area"] == (
        "1.234 square degrees (definition: wilks, by Wilks' theorem for two parameters)"
    )
    assert facts["Result"] == "final"
    assert facts["Priority"] == "100 (a realtime alert)"


@pytest.mark.parametrize("definition", list(Definition))
def test_each_definition_is_explained(definition: Definition) -> None:
    area = {"level": 0.9, "definition": definition.value, "area_deg2": 0.5}
    said = dict(message_of(a_notification(area=area)).facts)["90 % area"]
    assert f"definition: {definition.value}, " in said


def test_a_partial_result_is_marked_and_a_missing_one_is_left_out() -> None:
    for fact, outcome in ((Fact.FIRST_RESULT, None), (Fact.FAILED, "failed"), (Fact.ABORTED, "aborted")):
        facts = dict(message_of(a_notification(fact=fact, outcome=outcome, is_final=False)).facts)
        # A scan that has ended makes no other result, so nothing says that this one will change.
        assert facts["Result"] == "partial: the scan had not finished"
    bare = dict(message_of(a_notification(best_fit=None, area=None, outcome=None, priority=1)).facts)
    assert bare == {"Scan": "scan-1", "Event": "run 139534, event 12345", "Priority": "1"}


def test_a_reason_is_shown_and_an_unknown_event_is_called_so() -> None:
    message = message_of(
        a_notification(fact=Fact.FAILED, reason="no worker runs", run_id=None, event_id=None)
    )
    assert message.reason == "no worker runs"
    assert message.sentence == "The scan of an event without a name has failed."


def test_only_existing_links_are_shown() -> None:
    page = "https://skydriver.test/ui/scan?id=1"
    assert message_of(a_notification(links={"page": page})).links == (("Page of the scan", page),)
