"""Build the real components that no wheel brings, each into a cache folder: `make components`.

A component is a package beside this module with a module `build` that has:

    VERSION: str                  part of the cache key: change it whenever the outcome would differ
    def build(folder: Path) -> None   builds into the (empty) folder; raises Unbuildable with the reason

A component that cannot be built on this machine is named and left out; its tests then say so.
"""

import fcntl
import importlib
import shutil
import sys
import time
from pathlib import Path

from tests.components import CACHE

HERE = Path(__file__).parent


class Unbuildable(Exception):
    """This machine cannot build a component; the message says why."""


def folder_of(name: str) -> Path:
    """Return the folder of a component as it is (or will be) built at its present version."""
    version = importlib.import_module(f"tests.components.{name}.build").VERSION
    return CACHE / f"{name}-{version}"


def names() -> list[str]:
    """List the components that can be built."""
    return sorted(path.parent.name for path in HERE.glob("*/build.py"))


def ensure(name: str) -> str:
    """Build a component unless its cache folder is there, and say in a word what was done."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = folder_of(name)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return "cached"
        began = time.monotonic()
        work = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        importlib.import_module(f"tests.components.{name}.build").build(work)
        # Only a whole build gets the name by which it is found.
        work.rename(folder)
        return f"built in {time.monotonic() - began:.0f} s"


def main() -> None:
    """Build the components named on the command line, or all of them."""
    for name in sys.argv[1:] or names():
        print(f"{name}: ", end="", flush=True)
        try:
            print(ensure(name))
        except Unbuildable as error:
            print(f"left out: {error}")


if __name__ == "__main__":
    main()
