"""A scan is asked for again: with its own request and event, as a scan that knows where it comes from."""

from collections.abc import Callable

import pytest

from skydriver.errors import InvalidArguments, NotFound
from skydriver.lifecycle.users.create_scan import create_scan
from skydriver.lifecycle.users.rescan import rescan
from skydriver.model.phases import Phase
from skydriver.model.submission import RescanArguments
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


@pytest.mark.parametrize(
    ("stored_tag", "used"),
    [("v3.22.1", "3.22.1"), ("latest", "3.22.1"), ("eqscan-6207146", "eqscan-6207146")],
)
async def test_an_imported_scan_is_repeated_with_an_image_that_exists(stored_tag: str, used: str) -> None:
    former = await create_scan(arguments(), submitted_by=None)
    imported = {"at": 0.0, "digest": "d"}
    await change(former["_id"], imported=imported, phase=Phase.ENDED, **{"request.docker_tag": stored_tag})
    again = await rescan(former["_id"], submitted_by=None)
    assert again["request"]["docker_tag"] == used


async def test_an_imported_scan_whose_image_is_gone_needs_another() -> None:
    former = await create_scan(arguments(), submitted_by=None)
    await change(former["_id"], imported={"at": 0.0, "digest": "d"}, **{"request.docker_tag": "my-branch"})
    with pytest.raises(InvalidArguments, match="my-branch"):
        await rescan(former["_id"], submitted_by=None)
    again = await rescan(former["_id"], RescanArguments(docker_tag="v3.4"), submitted_by=None)
    assert again["request"]["docker_tag"] == "3.4.0"


async def test_a_tag_that_was_resolved_here_stays_though_the_source_lists_it_no_longer(
    configure: Callable[..., None],
) -> None:
    first = await create_scan(arguments(docker_tag="v3.1"), submitted_by=None)
    configure(IMAGE_TAGS="3.22.1")
    again = await rescan(first["_id"], submitted_by=None)
    assert again["request"]["docker_tag"] == "3.1.5"


async def test_an_unknown_scan_cannot_be_scanned_again() -> None:
    with pytest.raises(NotFound):
        await rescan("nobody", submitted_by=None)
    assert await collection(scan_document.NAME).count_documents({}) == 0
