"""The queues that scanners have left at the broker, by RabbitMQ's management API.

They are declared by the scanner's own library and never deleted by it. We delete those of attempts that have
ended, by name: whatever else is at the broker is not ours.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from skydriver.errors import TemporaryError
from skydriver.runtime.http_client import http_client

if TYPE_CHECKING:
    import httpx


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

    async def _call(self, method: str, path: str, query: dict[str, str] | None = None) -> "httpx.Response":
        import httpx

        # A queue's own path is left as it is: its name and the virtual host may hold slashes.
        url = f"{self.url.rstrip('/')}/api/queues/{quote(self.vhost, safe='')}{path}"
        auth = (self.user, self.password)
        async with http_client(url, timeout=self.timeout, auth=auth) as client:
            try:
                answer = await client.request(method, url, params=query)
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
