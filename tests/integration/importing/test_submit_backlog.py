"""What waited in the former backlog is asked for once, however often it is done."""

from skydriver.importing.run import Import
from skydriver.importing.source import Source
from skydriver.importing.submit_backlog import submit_backlog
from skydriver.model.phases import Phase
from skydriver.store.mongo import collection
from tests.support.documents import read
from tests.support.former import Former, event, manifest_v1, request, waiting
from tests.support.parts import Broker

NOT_STARTED = {"progress": None, "ewms_task": None, "event_metadata": None, "scan_metadata": None}


async def test_each_waiting_scan_is_asked_for_once(former: Former, broker: Broker) -> None:
    clusters = {"a": [["local", 2]], "b": [["nowhere", 2]], "deleted": [["local", 2]]}
    for name, asked in clusters.items():
        deleted = name == "deleted"
        former.db["Manifests"].insert_one(manifest_v1(name, is_deleted=deleted, **NOT_STARTED))
        former.db["ScanRequests"].insert_one(request(name, request_clusters=asked))
        former.db["ScanBacklog"].insert_one(waiting(name))
    former.db["I3Events"].insert_one(event())
    async with Source(former.uri) as source:
        await Import(source).all()
    done = await submit_backlog()
    ((old, new),) = done.pairs
    assert (old, [name for name, _ in done.refused]) == ("a", ["b"])
    assert "there is no cluster 'nowhere'" in done.refused[0][1]
    scan = await read(new)
    assert (scan["phase"], scan["classifiers"]["origin_scan_id"]) == (Phase.QUEUED, "a")
    assert (await submit_backlog()).pairs == done.pairs
    assert await collection("scans").count_documents({"imported": {"$exists": False}}) == 1


async def test_only_the_named_scans_are_asked_for(former: Former, broker: Broker) -> None:
    for name in ("a", "b"):
        former.db["Manifests"].insert_one(manifest_v1(name, **NOT_STARTED))
        former.db["ScanRequests"].insert_one(request(name, request_clusters=[["local", 2]]))
        former.db["ScanBacklog"].insert_one(waiting(name))
    former.db["I3Events"].insert_one(event())
    async with Source(former.uri) as source:
        await Import(source).all()
    assert [old for old, _ in (await submit_backlog(["b", "unknown"])).pairs] == ["b"]
    assert await collection("scans").count_documents({"imported": {"$exists": False}}) == 1
    assert {old for old, _ in (await submit_backlog()).pairs} == {"a", "b"}
