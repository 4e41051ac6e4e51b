"""ECMAScript modules of the project, run and checked by the npm component's Node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.components import missing
from tests.components.build import folder_of


def package(name: str) -> Path:
    """A package's folder, or skip the test where the component was not built."""
    folder = folder_of("npm") / "node_modules" / name
    if not folder.is_dir():
        missing("npm", f"there is no {folder}")
    return folder


def run(script: str, data: Any = None) -> Any:
    """Run a module that makes `answer` of `data`, and return the answer.

    Args:
        script: its text; what it imports is named by whole paths.
        data: plain JSON.
    """
    package("typescript")
    program = shutil.which("node")
    assert program is not None, "npm is here, so node is, too"
    whole = (
        'import { readFileSync } from "node:fs";\n'
        'const data = JSON.parse(readFileSync(0, "utf8"));\n'
        f"{script}\nprocess.stdout.write(JSON.stringify(answer));\n"
    )
    done = subprocess.run(
        [program, "--input-type=module", "--eval", whole],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_types(*files: Path, folder: Path) -> str:
    """Check modules with JSDoc types strictly; what is wrong with them, empty if nothing is.

    Args:
        files: the modules.
        folder: an empty one, for the compiler's settings.
    """
    compiler = package("typescript") / "bin" / "tsc"
    settings = {
        "compilerOptions": {
            "allowJs": True,
            "checkJs": True,
            "noEmit": True,
            "strict": True,
            "skipLibCheck": True,
            "target": "ES2022",
            "module": "ES2022",
            "moduleResolution": "bundler",
            "lib": ["ES2022", "DOM", "DOM.Iterable"],
            "types": [],
        },
        "files": [str(path) for path in files],
    }
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        ["node", compiler, "--project", folder], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
