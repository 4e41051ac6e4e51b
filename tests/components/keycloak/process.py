"""Keycloak as a process on 127.0.0.1, its H2 database in a folder of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from skydriver.local.processes import Processes, free_port, last_words

ADMIN = "admin"
PASSWORD = "admin-of-a-test"
TEMPLATE = "h2"
_START_DEADLINE = 300.0
# Compiling less: it lives for a few minutes on a busy machine.
_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"


def home(folder: Path) -> Path:
    """Keycloak's own folder in a build."""
    return folder / "keycloak"


def script(folder: Path) -> Path:
    """The program that builds and starts it."""
    return home(folder) / "bin" / "kc.sh"


@asynccontextmanager
async def started(folder: Path, data: Path, *, bootstrap: bool = False) -> AsyncIterator[str]:
    """Run a built Keycloak while the context lasts, and yield its address.

    Args:
        folder: of the build.
        data: where its database is (or will be) and its log goes.
        bootstrap: whether to make the first administrator.
    """
    port = free_port()
    log = data / "keycloak.log"
    (data / "h2").mkdir(exist_ok=True)
    command = [
        *(str(script(folder)), "start", "--optimized", "--cache=local"),
        *("--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={port}", "--hostname-strict=false"),
        f"--db-url=jdbc:h2:file:{data}/h2/keycloak;NON_KEYWORDS=VALUE",
    ]
    environment = {**os.environ, "JAVA_OPTS_APPEND": _JAVA_OPTIONS, "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m"}
    if bootstrap:
        environment |= {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN, "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD}
    child = await Processes(data / "processes").start(
        "keycloak", command, environment=environment, folder=data, output=log
    )
    address = f"http://127.0.0.1:{port}/auth"
    try:
        async with asyncio.timeout(_START_DEADLINE), httpx.AsyncClient(trust_env=False) as client:
            while not await _answers(client, address):
                if child.exit_code is not None:
                    raise RuntimeError(f"Keycloak does not start: {last_words(log)}")
                await asyncio.sleep(0.1)
        yield address
    finally:
        await child.end(grace=30.0)


async def _answers(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(f"{address}/realms/master")).is_success
    except httpx.HTTPError:
        return False
