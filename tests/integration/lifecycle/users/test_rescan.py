"""A scan is asked for again: with its own request and event, as a scan that knows where it comes from."""

import pytest

from skydriver.errors import NotFound
from skydriver.lifecycle.users.create_scan import create_scan
from skydriver.lifecycle.users.rescan import rescan
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store import i3_events
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import arguments, change, read
from tests.support.parts import Broker

pytestmark = pytest.mark.usefixtures("database")


async def test_a_scan_is_scanned_again_with_its_own_request(broker: Broker) -> None:
    asked = arguments(docker_tag="v3.1", priority=5, classifiers={"campaign": "x"})
    first = await create_scan(asked, submitted_by="one")
    await change(first["_id"], is_deleted=True, phase=Phase.ENDED)

    second = await rescan(first["_id"], submitted_by="another")

    origin, again = await read(first["_id"]), await read(second["_id"])
    assert origin["request"]["rescan_ids"] == [second["_id"]]
    assert again["classifiers"] == {"campaign": "x", "rescan": True, "origin_scan_id": first["_id"]}
    assert (again["phase"], again["is_deleted"], again["submitted_by"]) == (Phase.QUEUED, False, "another")
    new = {"scan_id", "rescan_ids", "submitted_by"}
    assert {name for name, value in again["request"].items() if value != origin["request"][name]} == new
    assert again["i3_event_id"] == origin["i3_event_id"]
    assert await collection(i3_events.NAME).count_documents({}) == 1
    assert len(broker.heard(Fact.REQUESTED, second["_id"])) == 1


async def test_the_first_request_knows_of_the_rescans_of_its_rescans() -> None:
    first = await create_scan(arguments(), submitted_by=None)
    second = await rescan(first["_id"], submitted_by=None)
    third = await rescan(second["_id"], submitted_by=None)
    assert (await read(first["_id"]))["request"]["rescan_ids"] == [second["_id"], third["_id"]]
    assert (await read(third["_id"]))["classifiers"]["origin_scan_id"] == second["_id"]


async def test_an_unknown_scan_cannot_be_scanned_again() -> None:
    with pytest.raises(NotFound):
        await rescan("nobody", submitted_by=None)
    assert await collection(scan_document.NAME).count_documents({}) == 0
