"""A scan is asked for: it is stored with its event, then the event is published."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from skydriver.errors import AlreadyUsed, Forbidden, InvalidArguments, TooMany
from skydriver.lifecycle.users.create_scan import create_scan
from skydriver.lifecycle.users.rescan import rescan
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store import i3_events
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import EVENT, arguments, read
from tests.support.parts import NOWHERE, Broker

pytestmark = pytest.mark.usefixtures("database")


async def _stored() -> int:
    count: int = await collection(scan_document.NAME).count_documents({})
    return count


async def test_a_scan_is_queued_and_said_to_be_requested(broker: Broker) -> None:
    scan = await create_scan(arguments(priority=7), submitted_by="someone")

    after = await read(scan["_id"])
    assert after["phase"] == Phase.QUEUED
    assert (after["attempt"], after["outcome"], after["priority"]) == (0, None, 7)
    assert after["submitted_by"] == "someone"
    assert [line["phase"] for line in after["history"]] == [Phase.QUEUED]
    assert after["outbox"] == {}
    assert "outbox_since" not in after
    [event] = broker.heard(Fact.REQUESTED, scan["_id"])
    assert "priorityclass" not in event.extensions
    stored = await i3_events.get(after["i3_event_id"])
    assert stored is not None and orjson.loads(stored) == EVENT


async def test_an_alert_is_marked_for_the_triggers(broker: Broker) -> None:
    scan = await create_scan(arguments(priority=100), submitted_by=None)
    [event] = broker.heard(Fact.REQUESTED, scan["_id"])
    assert event.extensions == {"priorityclass": "alert"}


async def test_a_scan_is_there_even_if_the_broker_is_not(configure: Callable[..., None]) -> None:
    configure(K_SINK=NOWHERE)
    scan = await create_scan(arguments(), submitted_by=None)
    after = await read(scan["_id"])
    assert list(after["outbox"]) == ["scan_requested"]
    assert after["outbox_since"] == after["timestamp"]


async def test_what_is_asked_for_is_resolved_once() -> None:
    scan = await create_scan(arguments(docker_tag="latest"), submitted_by=None)
    request = (await read(scan["_id"]))["request"]
    assert request["docker_tag"] == "3.22.1"
    assert request["scan_id"] == scan["_id"]
    assert request["max_worker_runtime"] == 86400
    assert request["request_clusters"] == [["local", 2]]


async def test_no_token_is_shown_or_stored() -> None:
    scan = await create_scan(arguments(), submitted_by=None)
    shown = {one["name"]: one["value"] for one in scan["ewms_task"]["env_vars"]["scanner_server"]}
    assert shown["SKYSCAN_SKYDRIVER_AUTH"] == "***"


@pytest.mark.parametrize(
    "wrong",
    [
        {"cluster": {"nowhere": 1}},
        {"cluster": {"local": 101}},
        {"cluster": [["local", 60], ["local", 60]]},
        {"cluster": {"other": 11}, "debug_mode": "client-logs"},
        {"docker_tag": "no-such-branch"},
        {"docker_tag": "v9"},
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused_and_not_stored(wrong: dict[str, Any], broker: Broker) -> None:
    with pytest.raises(InvalidArguments):
        await create_scan(arguments(**wrong), submitted_by=None)
    assert await _stored() == 0
    assert broker.events == []


async def test_an_alert_of_a_user_who_may_send_none_is_refused_and_not_stored(broker: Broker) -> None:
    with pytest.raises(Forbidden):
        await create_scan(arguments(priority=100), submitted_by="someone", may_alert=False)
    assert await _stored() == 0
    alert = await create_scan(arguments(priority=100), submitted_by=None)
    with pytest.raises(Forbidden):
        await rescan(alert["_id"], submitted_by="someone", may_alert=False)
    assert await _stored() == 1
    assert len(broker.events) == 1


async def test_a_submission_that_is_repeated_is_not_judged_again(configure: Callable[..., None]) -> None:
    """Its first answer got lost, and by now nothing more would be taken."""
    configure(BACKLOG_LIMIT="1")
    first = await create_scan(arguments(), submitted_by="someone", key="k")
    with pytest.raises(TooMany):
        await create_scan(arguments(), submitted_by="someone")
    assert (await create_scan(arguments(), submitted_by="someone", key="k"))["_id"] == first["_id"]
    with pytest.raises(AlreadyUsed):
        await create_scan(arguments(priority=1), submitted_by="someone", key="k")
    assert await _stored() == 1
