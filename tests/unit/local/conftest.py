from pathlib import Path

import pytest

from tests.support.toys import Toys


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    return Toys(tmp_path)
