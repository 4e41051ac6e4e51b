"""Where a run's shared servers are: asked of the process that owns them (`tests.support.owner`)."""

import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from multiprocessing.connection import Client
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

VARIABLE = "SKYDRIVER_TEST_SERVERS"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
"""This process among those that run tests: what it makes in a shared server has this name in it."""


def shared_server(name: str) -> Any:
    """Say where a server is (in the server's own terms); it is started if no test has asked for it before."""
    with Client(os.environ[VARIABLE]) as owner:
        owner.send(name)
        is_started, answer = owner.recv()
    if not is_started:
        pytest.fail(f"{name} does not start: {answer}")
    return answer


@contextmanager
def in_thread(server: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
    """Run an asynchronous server from synchronous code while the context lasts."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server) as running:
        yield running
