"""Posts events to an address: `python -m tests.bench.posting sender|httpx ADDRESS NUMBER`.

Prints the processor time of this process from its start, in seconds.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

AT_ONCE = 16
HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "i",
    "ce-type": "t",
    "ce-source": "/s",
    "content-type": "application/json",
}
BODY = b"{" + b" " * 400 + b"}"


async def by_sender(address: str, number: int) -> None:
    """Post as functions do."""
    from skydriver.eventing.http_sender import HttpSender

    sender = HttpSender(address, timeout=60.0)
    await _repeat(number, lambda: sender.post(HEADERS, BODY))
    await sender.aclose()


async def by_httpx(address: str, number: int) -> None:
    """Post by the client that functions have for everything else."""
    from skydriver.runtime.http_client import http_client

    async with http_client(address, timeout=60.0) as client:
        await _repeat(number, lambda: client.post(address, headers=HEADERS, content=BODY))


async def _repeat(number: int, post: Callable[[], Awaitable[object]]) -> None:
    left = iter(range(number))

    async def some() -> None:
        for _ in left:
            await post()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    ways = {"sender": by_sender, "httpx": by_httpx}
    asyncio.run(ways[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
    print(time.process_time())
