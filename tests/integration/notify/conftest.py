"""A certificate authority, receivers, and a check that no log contains a secret."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from skydriver.notify.address import tls_context
from tests.components.kubernetes.control_plane import make_certificates
from tests.support.receivers import Receiver, Reply, receiver

Configure = Callable[..., None]
NAME = "hooks.example.test"
ORIGIN = "skydriver.example.test"
SECRETS = ("/hook", "T0KEN", "jane@", "a password of mail", "whsec_")
"""Parts of the sinks, secrets and links of these tests."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate, and one that it signed for `NAME` and localhost."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder, NAME)
    return folder


@pytest.fixture
def tls(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A server's TLS context with the certificate of `NAME`; the service trusts its authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.crt"))
    tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    yield context
    tls_context.cache_clear()


@pytest.fixture
def insecure(configure: Configure) -> Configure:
    """Allow receivers on this machine."""
    configure(SKYDRIVER_URL=f"https://{ORIGIN}", SUBSCRIPTION_INSECURE_SINKS="true", CALL_TIMEOUT="5")
    return configure


@pytest_asyncio.fixture
async def hook(insecure: Configure) -> AsyncIterator[Receiver]:
    """An HTTP server that consents, and accepts deliveries."""
    async with receiver() as running:
        running.on("OPTIONS", Reply(headers={"WebHook-Allowed-Origin": ORIGIN, "WebHook-Allowed-Rate": "30"}))
        running.on("POST", Reply(204))
        yield running


@pytest.fixture(autouse=True)
def quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No secret and no sink is in any log, of any library, at any level."""
    caplog.set_level(logging.DEBUG)
    # Of the mail server under the tests, which is no part of the service.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    yield
    logged = "\n".join(f"{one.getMessage()} {one.exc_text}" for one in caplog.get_records("call"))
    assert not [secret for secret in SECRETS if secret in logged]
