"""The queues that scanners have left at the broker, by RabbitMQ's management API.

They are declared by the scanner's own library and never deleted by it. We delete those of attempts that have
ended, by name: whatever else is at the broker is not ours.
"""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from skydriver.errors import TemporaryError
from skydriver.model.broker_address import virtual_host
from skydriver.runtime.http_client import http_client
from skydriver.scanner.ewms_json import queue_names
from skydriver.settings import settings

if TYPE_CHECKING:
    import httpx


def management() -> "Management | None":
    """Return the management API that the settings name; None where none is configured."""
    given = settings()
    if given.broker_management_url is None or not given.has_broker:
        return None
    password = given.broker_management_password
    return Management(
        given.broker_management_url,
        given.broker_management_user,
        "" if password is None else password.get_secret_value(),
        virtual_host(given.skyscan_broker_address),
        given.call_timeout,
    )


@dataclass(frozen=True)
class Management:
    """The management API of a broker, as an account that may configure a virtual host's queues.

    Attributes:
        url: of the API's host, e.g. `http://rabbitmq:15672`.
        user: the account.
        password: its password.
        vhost: the virtual host of the scans' queues.
        timeout: seconds that a call may take.
    """

    url: str
    user: str
    password: str = field(repr=False)
    vhost: str = "/"
    timeout: float = 20.0

    async def list_queues(self) -> list[str]:
        """List the names of all queues of the virtual host, other installations' too.

        Raises:
            TemporaryError: the broker does not answer, or refuses the account.
        """
        answer = await self._call("GET", "", {"columns": "name", "disable_stats": "true"})
        return [str(queue["name"]) for queue in answer.json()]

    async def delete_queue(self, name: str) -> None:
        """Delete a queue with all that is in it; one that is not there is fine.

        Raises:
            TemporaryError: the broker does not answer, or refuses the account.
        """
        await self._call("DELETE", f"/{quote(name, safe='')}")

    async def check_rights(self) -> None:
        """Check that the account may delete scans' queues: by two that no scan has: made and deleted.

        Raises:
            TemporaryError: it may not, or the broker does not answer.
        """
        names = queue_names("check-of-rights")
        try:
            for name in names:
                await self._call(
                    "PUT", f"/{name}", body={"auto_delete": True, "arguments": {"x-expires": 60_000}}
                )
                await self.delete_queue(name)
        except TemporaryError as error:
            raise TemporaryError(
                f"the account '{self.user}' may not delete queues: it needs the right 'configure' on names"
                f" such as {' and '.join(names)} ({error})"
            ) from error

    async def acknowledgement_timeout(self) -> float | None:
        """Read after how many seconds a pixel is taken back, as policies say; None where none does.

        What rabbitmq.conf says the API does not tell.

        Raises:
            TemporaryError: the broker does not answer, or refuses the account.
        """
        answer = await self._call("GET", "", base=f"/api/policies/{quote(self.vhost, safe='')}")
        name = queue_names("").to_clients
        found = [
            policy
            for policy in answer.json()
            if "consumer-timeout" in policy["definition"]
            and policy["apply-to"] in ("all", "queues", "quorum_queues")
            and re.search(policy["pattern"], name)
        ]
        if not found:
            return None
        return (
            float(max(found, key=lambda one: int(one["priority"]))["definition"]["consumer-timeout"]) / 1000
        )

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        base: str | None = None,
        body: dict[str, Any] | None = None,
    ) -> "httpx.Response":
        import httpx

        # A queue's own path is left as it is: its name and the virtual host may hold slashes.
        place = base or f"/api/queues/{quote(self.vhost, safe='')}{path}"
        url = f"{self.url.rstrip('/')}{place}"
        auth = (self.user, self.password)
        async with http_client(url, timeout=self.timeout, auth=auth) as client:
            try:
                answer = await client.request(method, url, params=query, json=body)
            except httpx.TransportError as error:
                raise TemporaryError(
                    f"the broker's management API does not answer: {type(error).__name__}"
                ) from error
        if answer.status_code in (401, 403):
            raise TemporaryError(
                f"the broker's management API refuses the account '{self.user}' ({answer.status_code}):"
                f" it needs the tag 'management' and rights on the virtual host '{self.vhost}'"
            )
        if not answer.is_success and not (method == "DELETE" and answer.status_code == 404):
            raise TemporaryError(f"the broker's management API answered {answer.status_code}")
        return answer
