"""Files that commands write."""

from pathlib import Path

from skydriver.cli.errors import CommandError


def write_file(path: Path, content: bytes) -> None:
    """Write a file; its folder is made if need be.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
