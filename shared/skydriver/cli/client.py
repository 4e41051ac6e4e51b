"""A thin client of the service's REST interface.

Reads (GET, and the search) are repeated for a while where the service does not answer or answers 503;
writes are sent once, for the service may have acted on one whose answer was lost.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Self

import httpx

from skydriver.cli.address import Address
from skydriver.cli.errors import Refused, Unreachable

Json = dict[str, Any]

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0


class Client:
    """One service, as the commands see it; methods answer its JSON and raise Refused or Unreachable.

    Args:
        address: where the service is.
        token: bearer token, sent with every request; None sends none.
        auth: adds a token that changes.
        patience_s: how long a read goes on trying, in seconds.
        pause: waits for the given seconds; may raise to end the waiting.
    """

    def __init__(
        self,
        address: Address,
        token: str | None = None,
        *,
        auth: httpx.Auth | None = None,
        patience_s: float = 3.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self._patience_s = patience_s
        self._pause = pause
        try:
            self._http = httpx.Client(
                base_url=address.url,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                auth=auth,
                timeout=httpx.Timeout(60.0, connect=10.0),
                # A proxy of the environment does not reach a service on this machine.
                trust_env=not _is_loopback(address.url),
            )
        except httpx.InvalidURL as error:
            raise Unreachable(f"{address.url!r} is no address of a service: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- what can be asked ------------------------------------------------------------------------

    def submit(self, request: Mapping[str, object]) -> Json:
        """Request a scan: its manifest."""
        return self._object("POST", "/scan", body=request)

    def status(self, scan_id: str, *, pods: bool = False) -> Json:
        """State, phase, outcome and clusters of a scan, with its pods' statuses if asked."""
        query = {"include_pod_statuses": "true"} if pods else {}
        return self._object("GET", f"/scan/{scan_id}/status", query=query)

    def manifest(self, scan_id: str, fields: Sequence[str]) -> Json:
        """Some fields of a scan's manifest, deleted or not (the event, which is large, only if asked for)."""
        query = {"include_deleted": "true", "manifest_projection": ",".join(fields)}
        return self._object("GET", f"/scan/{scan_id}/manifest", query=query)

    def result(self, scan_id: str, *, include_deleted: bool = False) -> Json:
        """A scan's result, `{}` before there is one."""
        query = {"include_deleted": "true"} if include_deleted else {}
        return self._object("GET", f"/scan/{scan_id}/result", query=query)

    def history(self, scan_id: str) -> list[Json]:
        """The transitions of a scan, oldest first."""
        return list(self._object("GET", f"/scan/{scan_id}/history")["history"])

    def delete(self, scan_id: str, *, completed: bool = False) -> Json:
        """Abort a scan, or mark a completed one as deleted: its manifest and result."""
        return self._object("DELETE", f"/scan/{scan_id}", body={"delete_completed_scan": completed})

    def find(self, query: Mapping[str, object], *, include_deleted: bool = False) -> list[Json]:
        """Manifests that match a MongoDB query."""
        body = {"filter": dict(query), "include_deleted": include_deleted}
        return list(self._object("POST", "/scans/find", body=body, is_read=True)["manifests"])

    def backlog(self) -> Json:
        """The scans that wait for their start, and the limits within which they are started."""
        return self._object("GET", "/scans/backlog")

    def request(self, scan_id: str) -> Json:
        """What was asked for."""
        return self._object("GET", f"/scan-request/{scan_id}")

    # -- how it is asked --------------------------------------------------------------------------

    def _object(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        is_read: bool | None = None,
    ) -> Json:
        repeatable = method == "GET" if is_read is None else is_read
        response = self._send(method, path, query, body, self._patience_s if repeatable else 0.0)
        if response.is_error:
            raise Refused(response.status_code, _refusal(response))
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Unreachable(f"{self.address.url} does not speak as SkyDriver does ({path}).")
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        patience_s: float,
    ) -> httpx.Response:
        deadline = time.monotonic() + patience_s
        delay = FIRST_DELAY_S
        while True:
            response: httpx.Response | None = None
            failure: httpx.HTTPError | None = None
            try:
                response = self._http.request(method, path, params=query, json=body)
            except httpx.HTTPError as error:
                failure = error
            if response is not None and response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                return response
            if time.monotonic() + delay > deadline:
                break
            self._pause(delay)
            delay = min(2 * delay, LONGEST_DELAY_S)
        if response is not None:
            raise Unreachable(f"The service at {self.address.url} is overloaded: {_refusal(response)}")
        raise Unreachable(
            f"No service answers at {self.address.url} (from {self.address.origin}): {_cause(failure)}."
        )


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refusal(response: httpx.Response) -> str:
    """One sentence from an error answer: the service's own `{code, error}`, else what it is by number."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = response.reason_phrase or "no reason given"
    if response.status_code == HTTPStatus.FORBIDDEN and str(error).startswith("authentication failed"):
        error = f"{error}; log in with `skydriver login`"
    return f"{error} (HTTP {response.status_code})"


def _cause(failure: httpx.HTTPError | None) -> str:
    if isinstance(failure, httpx.TimeoutException):
        return "no answer in time"
    return str(failure) or type(failure).__name__
