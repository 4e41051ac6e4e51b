"""The data folder: one local service at a time uses it, and stores its address and its key there."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skydriver.local.errors import LocalError


@contextmanager
def claimed(data: Path) -> Iterator[None]:
    """Make the folder if need be, and keep others off it while the context lasts.

    Raises:
        LocalError: another service works on it.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            address = data / "url"
            where = f" ({address.read_text().strip()})" if address.exists() else ""
            raise LocalError(f"another service works on {data} already{where}") from None
        yield


@contextmanager
def published(data: Path, url: str) -> Iterator[None]:
    """Write the service's address into `url` of the folder while the context lasts."""
    path = data / "url"
    path.write_text(f"{url}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def kept_key(path: Path) -> str:
    """Read a key from a file that only the folder's user may read; if there is none, make one.

    The database outlives the service, and holds texts that are encrypted with the key.
    """
    if not path.exists():
        # Renamed when complete: a key is never read half written.
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        new.rename(path)
    return path.read_text()
