"""`python -m skydriver.check`, run where functions run: prints what was found; exits with 1 if bad."""

import asyncio
import sys

from skydriver.check.inside import check_inside
from skydriver.runtime.per_loop import PerLoop


async def _run() -> bool:
    found = await check_inside()
    for finding in found:
        print(finding)  # noqa: T201
    await PerLoop.close_all()
    return all(finding.good for finding in found)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(_run()) else 1)
