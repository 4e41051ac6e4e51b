from pathlib import Path

import pytest

from skydriver.cli.address import default_data_folder, find_address
from skydriver.cli.errors import Unreachable, WrongUsage


def test_the_given_address_wins_over_the_service_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1")
    assert find_address("https://sky.example/", tmp_path).url == "https://sky.example"


def test_the_service_on_this_machine_is_found_by_its_data_folder(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:4711\n")
    address = find_address(None, tmp_path)
    assert address.url == "http://127.0.0.1:4711"
    assert address.origin == str(tmp_path / "url")


@pytest.mark.parametrize("address", ["http://a\nb", "http://sky.exa\tmple", "http://sky.example/\rx"])
def test_a_line_break_in_an_address_is_told_wherever_it_was_given(tmp_path: Path, address: str) -> None:
    (tmp_path / "url").write_text(f"{address}\n", newline="")
    for explicit, origin in ((address, "--url"), (None, str(tmp_path / "url"))):
        with pytest.raises(WrongUsage, match=f"the address given by {origin}.* cannot be understood"):
            find_address(explicit, tmp_path)


@pytest.mark.parametrize("explicit", [None, ""])
def test_no_service_is_known(tmp_path: Path, explicit: str | None) -> None:
    with pytest.raises(Unreachable, match="skydriver up"):
        find_address(explicit, tmp_path)


def test_data_lies_in_the_xdg_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_folder() == tmp_path / "skydriver"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert default_data_folder() == tmp_path / "home" / ".local" / "share" / "skydriver"
