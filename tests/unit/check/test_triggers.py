"""Which Triggers ask for reports of scanners; tests/system/knative/test_check.py finds them on a cluster."""

from typing import Any

import pytest

from skydriver.check.triggers import asks_for
from skydriver.model.transitions import Fact

PROGRESS = "org.icecube.skydriver.scan.progress_reported.v1"
RESULT = "org.icecube.skydriver.scan.result_reported.v1"


@pytest.mark.parametrize(
    "spec",
    [
        {"filter": {"attributes": {"type": PROGRESS}}},
        {"filters": [{"exact": {"type": PROGRESS, "subject": "s"}}]},
        {"filters": [{"prefix": {"type": "org.icecube.skydriver.scan.progress"}}]},
        {"filters": [{"suffix": {"type": "_reported.v1"}}]},
        {"filters": [{"any": [{"exact": {"type": RESULT}}, {"all": [{"exact": {"type": PROGRESS}}]}]}]},
        {"filters": [{"cesql": f"type = '{PROGRESS}' AND subject = 's'"}]},
    ],
)
def test_filters_that_name_reports_ask_for_them(spec: dict[str, Any]) -> None:
    assert asks_for(spec, Fact.PROGRESS_REPORTED)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"filter": {"attributes": {"priorityclass": "alert"}}},
        {"filters": []},
        {"filters": [{"exact": {"type": RESULT}}]},
        {"filters": [{"prefix": {"type": "org.icecube.skydriver.scan."}}]},
        {"filters": [{"prefix": {"subject": "s"}}]},
        {"filters": [{"not": {"exact": {"type": PROGRESS}}}]},
        {"filters": [{"cesql": "type LIKE 'org.icecube.skydriver.scan.%'"}]},
    ],
)
def test_other_filters_do_not_ask_for_reports(spec: dict[str, Any]) -> None:
    assert not asks_for(spec, Fact.PROGRESS_REPORTED)
