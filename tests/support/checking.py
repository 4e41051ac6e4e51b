"""Running the check of an installation as an operator does."""

import asyncio
import os
import sys

from skydriver.local.processes import python_path


async def check(*words: str) -> tuple[int | None, list[str]]:
    """Run a check with this process's settings.

    Args:
        words: the module and its arguments.

    Returns:
        Its exit code, and the lines that it prints, with single spaces.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        env={**os.environ, "PYTHONPATH": python_path(), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, [" ".join(line.split()) for line in out.decode().splitlines()]
