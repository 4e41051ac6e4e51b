"""Environments with the packages of an image and no others, which functions are measured in.

A package may import others where it finds them: Motor imports Tornado, and httpx Rich and Pygments. An
environment for tests has them, and the images do not.
"""

import re
import venv
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.conftest import ROOT

FUNCTIONS, SKYMAP = "requirements.lock", "requirements-skymap.lock"
"""The lock files of the two images."""
_PINNED = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==", re.MULTILINE)


def make_environment(folder: Path, lock: str) -> None:
    """Make a virtual environment that has what a lock file names, by links to what is installed here.

    Args:
        folder: of the new environment.
        lock: the name of the lock file.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in _PINNED.findall((ROOT / lock).read_text()):
        with suppress(PackageNotFoundError):  # of another platform
            found = distribution(name)
            for part in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
                with suppress(FileExistsError):  # a namespace that two of them share
                    (site / part).symlink_to(Path(str(found.locate_file(part))))
