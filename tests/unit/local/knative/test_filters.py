from typing import Any

import pytest

from skydriver.local.errors import ManifestError
from skydriver.local.knative.filters import every

EVENT = {
    "type": "org.icecube.skydriver.scan.requested.v1",
    "source": "/create_scan",
    "priorityclass": "alert",
}


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([], True),
        ([{"exact": {"type": "org.icecube.skydriver.scan.requested.v1"}}], True),
        ([{"exact": {"type": "org.icecube.skydriver.scan.requested"}}], False),
        ([{"exact": {"type": EVENT["type"], "priorityclass": "alert"}}], True),
        ([{"exact": {"type": EVENT["type"], "priorityclass": "other"}}], False),
        ([{"exact": {"subject": "anything"}}], False),
        ([{"prefix": {"type": "org.icecube."}}], True),
        ([{"prefix": {"type": "icecube"}}], False),
        ([{"suffix": {"type": ".v1"}}], True),
        ([{"suffix": {"type": ".v2"}}], False),
        ([{"prefix": {"type": "org."}}, {"suffix": {"type": ".v2"}}], False),
        ([{"all": [{"prefix": {"type": "org."}}, {"suffix": {"type": ".v1"}}]}], True),
        ([{"all": [{"prefix": {"type": "org."}}, {"suffix": {"type": ".v2"}}]}], False),
        ([{"any": [{"prefix": {"type": "com."}}, {"suffix": {"type": ".v1"}}]}], True),
        ([{"any": [{"prefix": {"type": "com."}}, {"suffix": {"type": ".v2"}}]}], False),
        ([{"not": {"exact": {"priorityclass": "alert"}}}], False),
        ([{"not": {"exact": {"subject": "anything"}}}], True),
        ([{"not": {"any": [{"exact": {"source": "/a"}}, {"exact": {"source": "/b"}}]}}], True),
    ],
)
def test_an_event_passes_if_all_filters_hold(filters: list[Any], passes: bool) -> None:
    assert every(filters)(EVENT) is passes


@pytest.mark.parametrize(
    "wrong",
    [
        {"cesql": "type = 'x'"},
        {"exact": {}},
        {"exact": {"type": 1}},
        {"exact": {"type": ""}},
        {"exact": {"type": "a"}, "prefix": {"type": "a"}},
        {"all": []},
        {"any": {}},
        {"not": []},
        {"not": {"cesql": "x"}},
        {},
        "exact",
    ],
)
def test_what_is_no_filter_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(ManifestError, match="does not know the filter"):
        every([wrong])
