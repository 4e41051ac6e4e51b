"""Install npm's packages by the lock file. For another version: `npm install` it here, change VERSION.

`npm install --package-lock-only --save-exact --omit-lockfile-registry-resolved --ignore-scripts NAME`
writes the lock file without the address of a registry.
"""

import shutil
from pathlib import Path

from tests.components.debian import need_program
from tests.components.gomodule import run

VERSION = "3"
_HERE = Path(__file__).parent


def build(folder: Path) -> None:
    """Install into a folder's `node_modules`; no script of a package is run.

    Raises:
        Unbuildable: there is no npm here, or it cannot get the packages.
    """
    npm = need_program("npm", "npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, folder)
    run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
