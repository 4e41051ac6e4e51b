"""One cluster for all tests of this folder: the prod overlay on a real node, behind a real Keycloak."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from tests.cluster.box import Backends, Box, box, check_built, realm_inside
from tests.components import missing, need
from tests.components.build import folder_of
from tests.components.keycloak.server import SECRET, USER, USER_PASSWORD, Keycloak, set_up
from tests.conftest import new_database_name, shared_mongodb
from tests.support.servers import shared_server
from tests.system.conftest import scan_arguments

HOME = "skydriver"
"""The namespace."""
SCANS_RUNNING = 12
"""Scans that work at once; further ones wait in the backlog."""
TOKEN_AGE = 30.0
"""Seconds that a user's token is used again."""
SWEEP_PAUSE = 5.0
"""Seconds from one sweep to the next that a test asks for."""
UNPULLABLE = "3.22.9"
"""A tag that the service knows, of an image that is nowhere."""


@dataclass
class Cluster:
    """The cluster, as a user and an operator see it.

    Attributes:
        box: what runs it.
        keycloak: who says who users are.
    """

    box: Box
    keycloak: Keycloak
    _tokens: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)
    _swept: float = -SWEEP_PAUSE

    def token(self, user: str = USER, client: str = "password") -> str:
        """Get a user's token, as the cluster's issuer gives it; one serves for a while."""
        until, token = self._tokens.get((user, client), (0.0, ""))
        if time.monotonic() >= until:
            until, token = time.monotonic() + TOKEN_AGE, self._new_token(user, client)
            self._tokens[user, client] = until, token
        return token

    def _new_token(self, user: str, client: str) -> str:
        issuer = httpx.URL(realm_inside(self.keycloak.url()))
        answer = httpx.post(
            f"{self.keycloak.url()}/protocol/openid-connect/token",
            # Keycloak names itself as it is called.
            headers={"Host": f"{issuer.host}:{issuer.port}"},
            data={
                "grant_type": "password",
                "client_id": client,
                "client_secret": SECRET,
                "username": user,
                "password": USER_PASSWORD,
                "scope": "openid",
            },
            trust_env=False,
            timeout=60,
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the service as a user, and expect a 2xx."""
        answer = self.box.request(method, path, self.token(), **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def submit(self, *, client: str = "password", **changes: Any) -> str:
        """Ask for a small scan; its id.

        Args:
            client: by which the user logs in.
            changes: arguments of the scan.
        """
        arguments = scan_arguments(**{"docker_tag": "3.22.0", "worker_memory": "256M", **changes})
        answer = self.box.request("POST", "/scan", self.token(client=client), json=arguments)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return str(answer.json()["scan_id"])

    def status(self, scan_id: str) -> Any:
        """Read a scan's status."""
        return self.call("GET", f"/scan/{scan_id}/status")

    def until(self, scan_id: str, condition: Callable[[Any], bool], *, sweeping: bool = False) -> Any:
        """Wait until a scan's status is as wanted; it.

        Args:
            scan_id: the scan.
            condition: is true of the status that is waited for.
            sweeping: whether to let the sweep run every few seconds, in place of once a minute.
        """

        def look() -> Any:
            if sweeping and time.monotonic() >= self._swept + SWEEP_PAUSE:
                self.sweep()
                self._swept = time.monotonic()
            status = self.status(scan_id)
            return status if condition(status) else None

        return self.box.until(look, f"scan {scan_id}", deadline=600.0)

    def ended(self, scan_id: str, *, sweeping: bool = False) -> Any:
        """Wait until a scan has ended; its status."""
        return self.until(scan_id, lambda status: status["phase"] == "ENDED", sweeping=sweeping)

    def sweep(self) -> None:
        """Let the sweep run now, as the PingSource does."""
        event = {
            "ce-specversion": "1.0",
            "ce-type": "dev.knative.sources.ping",
            "ce-source": "tests",
            "ce-id": str(uuid.uuid4()),
        }
        answer = self.box.call_function("sweep", headers=event, content=b"")
        assert answer.is_success, answer.text


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Bring the cluster up, once for all tests of this folder; it ends with the last of them."""
    check_built()
    if not folder_of("keycloak").is_dir():
        missing("keycloak", "it is not built")
    with need("s3"):
        import moto  # noqa: F401
    keycloak = replace(shared_server("keycloak"), realm=f"cluster-{uuid.uuid4().hex[:8]}")
    backends = Backends(
        f"{shared_mongodb().rpartition('?')[0]}{new_database_name()}?directConnection=true",
        shared_server("s3"),
        "skydriver",
        keycloak.url(),
    )
    settings = {
        "IMAGE_TAGS": f"3.22.0,{UNPULLABLE}",
        "IMAGE_PULL_TIMEOUT": "5",
        "STARTS_PER_MINUTE": "600",
        "SCANS_RUNNING": str(SCANS_RUNNING),
    }
    folder = tmp_path_factory.mktemp("cluster")
    # The realm is asked for no earlier than the first test.
    with ThreadPoolExecutor(1) as beside:
        realm = beside.submit(set_up, keycloak)
        with box(folder, backends, settings=settings, say=print) as running:
            realm.result()
            yield Cluster(running, keycloak)
