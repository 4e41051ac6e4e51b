"""The REST interface over HTTP with a real database behind it, and no function that launches anything."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from skydriver.local.http_server import listen, serve, url
from skydriver.local.knative import functions
from skydriver.local.knative.ingress import Ingress
from skydriver.local.knative.overlay import Overlay, read_overlay
from skydriver.runtime.http_client import http_client
from tests.conftest import ROOT
from tests.integration.rest.api import Api
from tests.integration.rest.receivers import Mailbox, Webhook, mailbox, webhook


@pytest.fixture(scope="session")
def overlay() -> Overlay:
    """The overlay of one machine: which route leads to which function."""
    return read_overlay(ROOT / "knative" / "overlays" / "local")


@pytest_asyncio.fixture
async def api(database: None, overlay: Overlay, configure: Callable[..., None]) -> AsyncIterator[Api]:
    """The interface at an address, every route of it; events find no broker and stay where they are."""
    routed = {name: one for name, one in overlay.functions.items() if name in overlay.routes.services}
    with listen(None) as listener:
        configure(SKYDRIVER_URL=url(listener))
        front = Ingress(routes=overlay.routes, functions=functions.load(routed), brokers={})
        async with (
            serve(front, listener),
            http_client(url(listener), base_url=url(listener), timeout=60.0) as client,
        ):
            yield Api(client)


@pytest_asyncio.fixture
async def scan_id(api: Api) -> str:
    """A scan that waits to be started."""
    return str((await api.submit())["scan_id"])


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Webhook]:
    """A webhook that consents."""
    async with webhook() as one:
        yield one


@pytest_asyncio.fixture
async def mails(configure: Callable[..., None]) -> AsyncIterator[Mailbox]:
    """A mail server, and all that it was given."""
    async with mailbox() as box:
        configure(
            SMTP_HOST="127.0.0.1",
            SMTP_PORT=str(box.port),
            SMTP_SECURITY="none",
            SMTP_FROM="SkyDriver <skydriver@icecube.wisc.edu>",
        )
        yield box
