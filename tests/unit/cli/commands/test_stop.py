import json
from typing import Any

import pytest


@pytest.mark.parametrize(("arguments", "flag"), [([], False), (["--delete-completed"], True)])
def test_stop_deletes_the_scan(run: Any, service: Any, arguments: list[str], flag: bool) -> None:
    service.on("DELETE", "/scan/x", {"manifest": {}, "result": {}})
    answer = run("stop", "x", *arguments)
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "stopped" in answer.stderr
    assert service.requests[0].body == {"delete_completed_scan": flag}


def test_stop_as_json(run: Any, service: Any) -> None:
    service.on("DELETE", "/scan/x", {"manifest": {"scan_id": "x"}, "result": {}})
    answer = run("stop", "x", "--json")
    assert json.loads(answer.stdout) == {"manifest": {"scan_id": "x"}, "result": {}}
    assert answer.stderr == ""


def test_a_completed_scan_is_not_stopped(run: Any, service: Any) -> None:
    service.on(
        "DELETE",
        "/scan/x",
        {"code": 400, "error": "the scan is complete: pass 'delete_completed_scan'"},
        status=400,
    )
    answer = run("stop", "x")
    assert answer.exit_code == 1
    assert "the scan is complete" in answer.stderr
    assert "--delete-completed" in answer.stderr
