"""Permits of scans that are over are given back."""

from skydriver.model.phases import Phase
from skydriver.store import rate_limit
from skydriver.store.scans import overview as scan_overview


async def release_permits() -> None:
    """Give back the permits of scans that are over: what a crash between two writes left."""
    holders = await rate_limit.holders()
    over = await scan_overview.ids_in(holders, [Phase.ENDED])
    if over:
        await rate_limit.release(over)
