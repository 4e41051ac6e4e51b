from typing import Any

import pytest


def test_more_workers(run: Any, service: Any, manifest: Any) -> None:
    service.on("POST", "/scan/x/actions/add-workers", manifest)
    answer = run("workers", "add", "x", "sub-2=500", "local=1")
    assert answer.exit_code == 0
    assert service.requests[0].body == {"cluster": [["sub-2", 500], ["local", 1]]}
    assert "500 on sub-2, 1 on local" in answer.stderr


@pytest.mark.parametrize("cluster", ["sub-2", "sub-2=many"])
def test_wrong_clusters_are_not_sent(run: Any, service: Any, cluster: str) -> None:
    assert run("workers", "add", "x", cluster).exit_code == 2
    assert service.requests == []
