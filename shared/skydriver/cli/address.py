"""Where the service is: an explicit address, else the service that runs on this machine."""

import os
from dataclasses import dataclass
from pathlib import Path

from skydriver.cli.errors import Unreachable


@dataclass(frozen=True)
class Address:
    """A service's base URL, without a trailing slash, and where it was learnt from."""

    url: str
    origin: str


def default_data_folder() -> Path:
    """Where `skydriver up` keeps its data: `skydriver/` in the XDG data home (`~/.local/share`)."""
    data_home = os.environ.get("XDG_DATA_HOME", "")
    # The XDG rules: a relative path is invalid and must be ignored.
    base = Path(data_home) if Path(data_home).is_absolute() else Path.home() / ".local" / "share"
    return base / "skydriver"


def find_address(explicit: str | None, data: Path) -> Address:
    """The given address, else the one in the `url` file of the local service that uses `data`.

    Raises:
        Unreachable: neither is there.
    """
    if explicit:
        return Address(explicit.rstrip("/"), "--url or SKYDRIVER_URL")
    note = data / "url"
    try:
        url = note.read_text().strip()
    except OSError:
        url = ""
    if not url:
        raise Unreachable(
            "No SkyDriver service is known: start one with `skydriver up`, or give --url or SKYDRIVER_URL."
        )
    return Address(url.rstrip("/"), str(note))
