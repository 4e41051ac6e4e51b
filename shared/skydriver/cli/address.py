"""Where the service is: an explicit address, else the service that runs on this machine."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from skydriver.cli.errors import CommandError, Unreachable, WrongUsage

DATA_HOME = ("XDG_DATA_HOME", ".local", "share")
_NO_HOST = set(' %\\<>^`{|}"')
STATE_HOME = ("XDG_STATE_HOME", ".local", "state")


@dataclass(frozen=True)
class Address:
    """A service's base URL, without a trailing slash, and where it was learnt from."""

    url: str
    origin: str


def checked_url(text: str, origin: str) -> str:
    """Check the base URL of a service or of a realm, and take a trailing slash off.

    Raises:
        WrongUsage: it is none, or holds a user's name or password; the message does not show those.
    """
    text = text.strip()
    try:
        if not text.isprintable():
            raise ValueError("urlsplit drops line breaks without a word")
        url = urlsplit(text)
        # Names are sent as IDNA has them; this also finds parts that are too long.
        host, _ = (url.hostname or "").encode("idna").decode(), url.port
    except ValueError:
        raise WrongUsage(f"the address given by {origin} cannot be understood") from None
    if url.scheme not in ("http", "https"):
        raise WrongUsage(f"the address given by {origin} does not begin with http:// or https://")
    if url.username is not None or url.password is not None:
        raise WrongUsage(
            f"the address given by {origin} holds a user's name or password, which is not sent: log in with "
            "`skydriver login`, or set SKYDRIVER_TOKEN"
        )
    if not host or set(url.netloc) & _NO_HOST:
        raise WrongUsage(f"the address given by {origin} names no host")
    if url.query or url.fragment:
        raise WrongUsage(f"the address given by {origin} must end with its path")
    return text.rstrip("/")


def xdg_folder(variable: str, *default: str) -> Path | None:
    """Find `skydriver/` in a base folder of the XDG rules.

    Args:
        variable: that names the base folder.
        default: parts of its path below the user's home.

    Returns:
        None where the variable is not set and the user has no home.
    """
    given = os.environ.get(variable, "")
    # The XDG rules: a relative path is invalid and must be ignored.
    if Path(given).is_absolute():
        return Path(given) / "skydriver"
    try:
        return Path.home().joinpath(*default) / "skydriver"
    except RuntimeError:
        return None


def default_data_folder() -> Path:
    """Where `skydriver up` keeps its data: `skydriver/` in the XDG data home (`~/.local/share`).

    Raises:
        CommandError: the user has no home.
    """
    folder = xdg_folder(*DATA_HOME)
    if folder is None:
        raise CommandError("you have no home folder here: set HOME, or name a folder by SKYDRIVER_DATA")
    return folder


def find_address(explicit: str | None, data: Path | None) -> Address:
    """The given address, else the one in the `url` file of the local service that uses `data`.

    Raises:
        WrongUsage: the address is none.
        Unreachable: neither is there.
    """
    if explicit:
        origin = "--url or SKYDRIVER_URL"
        return Address(checked_url(explicit, origin), origin)
    url = ""
    if data is not None:
        with contextlib.suppress(OSError, ValueError):
            url = (data / "url").read_text(encoding="utf-8").strip()
    if data is None or not url:
        raise Unreachable(
            "No SkyDriver service is known: start one with `skydriver up`, or give --url or SKYDRIVER_URL."
        )
    origin = str(data / "url")
    return Address(checked_url(url, origin), origin)
