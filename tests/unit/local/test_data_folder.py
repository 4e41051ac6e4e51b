from pathlib import Path

import pytest

from skydriver.local.data_folder import claimed, published
from skydriver.local.errors import LocalError


def test_a_folder_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    with claimed(data), published(data, "http://127.0.0.1:1"):
        assert (data / "url").read_text() == "http://127.0.0.1:1\n"
        with pytest.raises(LocalError, match=r"works on .* already \(http://127.0.0.1:1\)"), claimed(data):
            pass
    assert not (data / "url").exists()
    with claimed(data):
        pass
