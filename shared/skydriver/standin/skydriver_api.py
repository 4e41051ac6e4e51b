"""SkyDriver's REST interface as the scanner uses it: a few calls, made patiently or urgently.

A patient call may fail: it is tried twice within seconds, as the scan has better things to do and
the next report brings the same news. An urgent call is what the scan cannot do without (the event
at its start, the final reports at its end): it is tried for about an hour. Both try again on 408,
429, 500, 502, 503, 504 and connection errors; any other refusal is final at once.
"""

import json
from typing import Any
from urllib.parse import quote

import urllib3

WORTH_ANOTHER_TRY = (408, 429, 500, 502, 503, 504)


class CallError(Exception):
    """SkyDriver was out of reach, refused the call, or answered with something else than JSON."""


class Client:
    """Calls for one scan, with one attitude to failures. Not for two threads at once."""

    def __init__(self, address: str, token: str, scan_id: str, *, timeout: float, retries: int) -> None:
        """Set up; ``timeout`` (s) is that of one try. Without a token no Authorization header is sent."""
        self._scan_url = f"{address.rstrip('/')}/scan/{quote(scan_id, safe='')}"
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        retry = urllib3.Retry(
            total=retries,
            redirect=False,
            status_forcelist=WORTH_ANOTHER_TRY,
            allowed_methods=None,  # all of them: each call may be repeated
            raise_on_status=False,  # the last answer tells more
            backoff_factor=0.3,  # waits 0, 0.6, 1.2, 2.4 ... seconds,
            backoff_max=120,  # so that 24 retries of 60 s and their waits come to an hour
        )
        self._pool = urllib3.PoolManager(retries=retry, timeout=timeout)

    @classmethod
    def patient(cls, address: str, token: str, scan_id: str) -> "Client":
        """For calls that may fail."""
        return cls(address, token, scan_id, timeout=10, retries=1)

    @classmethod
    def urgent(cls, address: str, token: str, scan_id: str) -> "Client":
        """For calls that must not."""
        return cls(address, token, scan_id, timeout=60, retries=24)

    def get_manifest(self) -> Any:
        """The scan's manifest.

        Raises:
            CallError: as for each call.
        """
        return self._call("GET", "manifest")

    def get_status(self) -> Any:
        """The scan's status."""
        return self._call("GET", "status")

    def get_workforce(self) -> Any:
        """How many workers run (since v4)."""
        return self._call("GET", "ewms/workforce")

    def patch_manifest(self, body: dict[str, Any]) -> None:
        """Send a progress report."""
        self._call("PATCH", "manifest", body)

    def put_result(self, body: dict[str, Any]) -> None:
        """Send a result report."""
        self._call("PUT", "result", body)

    def _call(self, method: str, part: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self._scan_url}/{part}"
        headers, content = self._headers, None
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        try:
            answer = self._pool.request(method, url, body=content, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise CallError(f"{method} {url}: {error}") from error
        if not 200 <= answer.status < 300:
            raise CallError(f"{method} {url}: {answer.status} {answer.data[:300]!r}")
        if not answer.data:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise CallError(f"{method} {url}: the answer is no JSON") from error
