"""Filters that pass the allow-list but mean nothing to MongoDB."""

from typing import Any

import pytest

from skydriver.errors import InvalidArguments
from skydriver.rest.search import check_filter
from skydriver.store.scans import search as scan_search

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    "condition",
    [
        {"$and": []},
        {"$or": 5},
        {"$in": [1]},
        {"priority": {"$in": 5}},
        {"priority": {"$in": [{"$regex": "x"}]}},
        {"priority": {"$mod": []}},
        {"priority": {"$type": "nope"}},
        {"priority": {"$size": -1}},
        {"priority": {"$not": 5}},
        {"priority": {"$elemMatch": 5}},
        {"priority": {"$options": "i"}},
        {"priority": {"$eq": 1, "x": 2}},
        {"scan_id": {"$regex": "a{70000}"}},
        {"scan_id": {"$regex": "a", "$options": "z"}},
        {"scan_id": {"$regex": "a\0b"}},
        {"scan_metadata.a..b": 1},
        {"scan_metadata.$a": 1},
    ],
    ids=repr,
)
async def test_a_filter_that_the_database_does_not_understand_is_named(condition: dict[str, Any]) -> None:
    check_filter(condition)
    with pytest.raises(InvalidArguments) as caught:
        _ = [scan async for scan in scan_search.find(condition, ["scan_id"], max_time_ms=1000)]
    assert set(caught.value.problems) == {"filter"}
