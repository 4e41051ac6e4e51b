import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.standin.stage import ROOT, Pod, Recorder


@pytest.fixture(scope="session")
def event() -> Any:
    return json.loads((ROOT / "examples" / "IC170922A.json").read_text())


@pytest.fixture
def recorder(event: Any) -> Iterator[Recorder]:
    with Recorder(event) as running:
        yield running


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    running = Pod(tmp_path)
    yield running
    running.end()
