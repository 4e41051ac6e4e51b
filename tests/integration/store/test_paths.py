"""The listener of the tests bites: a field that is misspelt in what is said to MongoDB is noticed."""

from typing import Any

import pytest

from skydriver.model.phases import Phase
from skydriver.store.scans import document as scan_document
from tests.integration.conftest import PATHS
from tests.integration.paths import UnknownPath, check_command
from tests.support.documents import scan, stored

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("find", {"filter": {"ewms_task.clusters": {"$elemMatch": {"at": "x", "state": "stopped"}}}}),
    ("find", {"filter": {"$or": [{"report": None}, {"report.attempt": {"$lt": 2}}]}}),
    ("find", {"filter": {}, "projection": {"ewms_task.clusters.attempt": 1}, "sort": {"timestamp": 1}}),
    ("find", {"filter": {"classifiers.anything": 1}}),
    ("update", {"updates": [{"q": {}, "u": {"$set": {"ewms_task.clusters.$.logs": {"key": None}}}}]}),
    ("update", {"updates": [{"q": {}, "u": {"$set": {"outbox.scan_requested": {"id": "1"}}}}]}),
    ("update", {"updates": [{"q": {}, "u": [{"$unset": "outbox.scan_requested"}]}]}),
    ("aggregate", {"pipeline": [{"$match": {"_id": "x"}}, {"$group": {"_id": "$phase", "n": {"$sum": 1}}}]}),
]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("find", {"filter": {"phases": "RUNNING"}}),
    ("find", {"filter": {"result.final": True}}),
    ("find", {"filter": {"$and": [{"scanner.lease_until": {"$lte": 1}}]}}),
    ("find", {"filter": {"ewms_task.clusters": {"$elemMatch": {"status": "gone"}}}}),
    ("find", {"filter": {"ewms_task.clusters": {"$not": {"$elemMatch": {"stat": {"$ne": "gone"}}}}}}),
    ("find", {"filter": {}, "projection": {"ewms_task.cluster": 1}}),
    ("find", {"filter": {}, "sort": {"time_stamp": 1}}),
    ("update", {"updates": [{"q": {"attempts": 1}, "u": {"$set": {"phase": "x"}}}]}),
    ("update", {"updates": [{"q": {}, "u": {"$set": {"ewms_task.clusters.$.started": 1.0}}}]}),
    ("update", {"updates": [{"q": {}, "u": {"$set": {"result": {"version": 1, "size": 2}}}}]}),
    ("update", {"updates": [{"q": {}, "u": {"$push": {"history": {"$each": [{"when": 1.0}]}}}}]}),
    ("update", {"updates": [{"q": {}, "u": {"$set": {"outbox.scan_requested": {"ids": "1"}}}}]}),
    (
        "update",
        {
            "updates": [
                {
                    "q": {},
                    "u": {"$set": {"ewms_task.clusters.$[c].state": "stopped"}},
                    "arrayFilters": [{"c.stat": 1}],
                }
            ]
        },
    ),
    ("update", {"updates": [{"q": {}, "u": [{"$set": {"outbox_since": {"$eq": ["$outboxes", {}]}}}]}]}),
    ("findAndModify", {"query": {}, "update": {"$inc": {"atempt": 1}}}),
    ("aggregate", {"pipeline": [{"$match": {"i3_event": "x"}}]}),
    ("aggregate", {"pipeline": [{"$group": {"_id": "$phases"}}]}),
    (
        "aggregate",
        {"pipeline": [{"$lookup": {"from": "i3_events", "localField": "event", "foreignField": "_id"}}]},
    ),
    ("createIndexes", {"indexes": [{"key": {"history.when": 1}}]}),
    ("insert", {"documents": [{"_id": "x", "schema": 1, "phas": "QUEUED"}]}),
    ("insert", {"documents": [{"_id": "x", "phase": "QUEUED"}]}),
]


@pytest.mark.parametrize(("name", "command"), GOOD, ids=str)
def test_a_path_of_a_type_passes(name: str, command: dict[str, Any]) -> None:
    check_command(name, {name: "scans", **command})


@pytest.mark.parametrize(("name", "command"), BAD, ids=str)
def test_a_path_that_no_type_has_is_noticed(name: str, command: dict[str, Any]) -> None:
    with pytest.raises(UnknownPath):
        check_command(name, {name: "scans", **command})


async def test_what_is_really_said_is_heard(database: None) -> None:
    scan_id = await stored(Phase.RUNNING)
    await scan_document.set_fields(scan_id, {"scanner.leased": 1.0}, guard={"attempts": 1})
    await scan_document.insert(scan(misspelt=1))
    assert len(PATHS.take()) == 2
