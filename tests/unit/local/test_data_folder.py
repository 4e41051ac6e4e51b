from pathlib import Path

import pytest

from skydriver.local.data_folder import claimed, kept_key, published
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


def test_a_key_is_made_up_once_and_no_other_user_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "subscription.key"
    key = kept_key(path)
    assert len(key) >= 32
    assert kept_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
