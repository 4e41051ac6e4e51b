"""Checks an installation by its public address: is every route of the table answered by its function?

It changes nothing: what it asks is refused for want of a token or of arguments, or is about no scan.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import httpx

from skydriver.check.finding import Finding
from skydriver.gateway.route_table import Route, RouteTable

TIMEOUT = 60.0
"""Seconds for an answer: functions may have to be started first."""
AT_ONCE = 4
TRIES = 5
PAUSE = 2.0
"""Seconds between them. An ingress may lead nowhere for a moment, where a function is started or ended."""
DOCUMENT = "/openapi.json"


async def check_outside(
    client: httpx.AsyncClient, table: RouteTable, *, pause: float = PAUSE
) -> list[Finding]:
    """Ask for every route, and again where something before the functions has no way to one.

    Args:
        client: of the service, with its address and whatever token is to be sent.
        table: its routes.
        pause: seconds before it asks again.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def in_turn(check: Callable[[], Awaitable[Finding]]) -> Finding:
        async with gate:
            return await check()

    checks = (
        *(partial(_ask, client, route, pause) for route in table.routes),
        partial(_interface, client, table, pause),
    )
    return await asyncio.gather(*map(in_turn, checks))


async def _interface(client: httpx.AsyncClient, table: RouteTable, pause: float) -> Finding:
    """Check that the service describes the interface that is checked: another one answers, too."""
    what = "the interface's document"
    try:
        document = (await _answer(client, "GET", DOCUMENT, pause)).json()
    except (httpx.HTTPError, ValueError) as error:
        return Finding(what, False, f"{DOCUMENT} cannot be read ({type(error).__name__}): is this SkyDriver?")
    paths = document.get("paths") if isinstance(document, dict) else None
    described = paths if isinstance(paths, dict) else {}
    missing = [
        f"{route.method} {route.path}"
        for route in table.routes
        if not route.page and route.method.lower() not in described.get(route.path, {})
    ]
    if missing:
        return Finding(what, False, f"it lacks {', '.join(missing)}: is this SkyDriver, and of this version?")
    return Finding(what, True, "it describes each of these routes")


async def _ask(client: httpx.AsyncClient, route: Route, pause: float) -> Finding:
    what = f"{route.method} {route.path}"
    try:
        answer = await _answer(client, route.method, route.path_with("0"), pause)
    except httpx.HTTPError as error:
        return Finding(what, False, f"no answer: {type(error).__name__}")
    if answer.status_code >= 500:
        return Finding(
            what, False, f"{route.service} answers {answer.status_code}: {_sentence(answer) or 'no reason'}"
        )
    if answer.status_code in (404, 405) and _sentence(answer) is None:
        return Finding(what, False, f"it leads nowhere ({answer.status_code}): is {route.service} installed?")
    return Finding(what, True, f"{route.service} answers {answer.status_code}")


async def _answer(client: httpx.AsyncClient, method: str, path: str, pause: float) -> httpx.Response:
    body: dict[str, object] | None = None if method == "GET" else {}
    answer = await client.request(method, path, json=body)
    for _ in range(TRIES - 1):
        if answer.status_code not in (502, 503, 504) or _sentence(answer) is not None:
            break
        await asyncio.sleep(pause)
        answer = await client.request(method, path, json=body)
    return answer


def _sentence(answer: httpx.Response) -> str | None:
    try:
        content = answer.json()
    except ValueError:
        return None
    return str(content["error"]) if isinstance(content, dict) and "error" in content else None
