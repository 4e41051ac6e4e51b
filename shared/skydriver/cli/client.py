"""A thin client of the service's REST interface.

Reads (GET, and the search) are repeated for a while where the service does not answer, or it or what stands
before it answers 502, 503 or 504; writes are sent once, for the service may have acted on one whose answer
was lost (but those with a key, of which the service knows a repeat).
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from http import HTTPStatus
from typing import Any, Self
from uuid import uuid4

import httpx

from skydriver.cli.address import Address
from skydriver.cli.errors import Refused, Unreachable, WrongUsage
from skydriver.cli.web import NO_ANSWER, cause, http_client, json_object, route
from skydriver.model.json_text import write_json

Json = dict[str, Any]

FIRST_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 10.0
_BEGINNING = re.compile(r"(?![0-9a-f]{32}$)[0-9a-f]{4,127}(x[0-9a-f]*)?")
"""What may be the beginning of an id, and is not a whole one of 32 digits. Ids of SkyDriver v2 have an `x`
between a time and a number, and no length that is promised: a whole one is looked for, too."""
PASSING = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
"""What is answered while a service is overloaded, or away from its ingress, for a moment."""
STAY = {"no_redirect": "true"}
"""Commands tell of the scan that they name, also where another one has replaced it."""


class Client:
    """One service, as the commands see it; methods answer its JSON and raise Refused or Unreachable.

    They raise WrongUsage for what cannot be sent.

    Args:
        address: where the service is.
        token: bearer token, sent with every request; None sends none.
        auth: adds a token that changes.
        timeout_seconds: how long a read goes on trying, in seconds.
        pause: waits for the given seconds; may raise to end the waiting.
    """

    def __init__(
        self,
        address: Address,
        token: str | None = None,
        *,
        auth: httpx.Auth | None = None,
        timeout_seconds: float = 3.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self._timeout_seconds = timeout_seconds
        self._pause = pause
        self._http = http_client(
            address.url,
            base_url=address.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            auth=auth,
            timeout=httpx.Timeout(60.0, connect=10.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- what can be asked ------------------------------------------------------------------------

    def submit(self, request: Mapping[str, object]) -> Json:
        """Request a scan: its manifest. Each call has a key of its own, so that its repeats make one scan."""
        headers = {"Idempotency-Key": uuid4().hex}
        return self._object("POST", route("scan"), body=request, repeatable=True, headers=headers)

    def status(self, scan_id: str, *, pods: bool = False) -> Json:
        """State, phase, outcome and clusters of a scan, with its pods' statuses if asked."""
        query = {**STAY, **({"include_pod_statuses": "true"} if pods else {})}
        return self._object("GET", route("scan", scan_id, "status"), query=query)

    def manifest(self, scan_id: str, fields: Sequence[str]) -> Json:
        """Some fields of a scan's manifest, deleted or not (the event, which is large, only if asked for)."""
        query = {**STAY, "include_deleted": "true", "manifest_projection": ",".join(fields)}
        return self._object("GET", route("scan", scan_id, "manifest"), query=query)

    def result(self, scan_id: str, *, include_deleted: bool = False) -> Json:
        """A scan's result, `{}` before there is one."""
        query = {**STAY, **({"include_deleted": "true"} if include_deleted else {})}
        return self._object("GET", route("scan", scan_id, "result"), query=query)

    def file(self, scan_id: str, product: str, options: Mapping[str, str]) -> tuple[str, bytes]:
        """A product of a scan's result: the name of its file (the product's if none is said), its bytes.

        Raises:
            Unreachable: a page comes instead, as from a proxy that wants a login: no product is one.
        """
        path = route("scan", scan_id, product)
        response = self._send("GET", path, options, None, self._timeout_seconds)
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html":
            raise Unreachable(self._misunderstood(path))
        said = Message()
        said["Content-Disposition"] = response.headers.get("content-disposition", "")
        return said.get_filename(product), response.content

    def history(self, scan_id: str) -> Json:
        """The transitions of a scan, oldest first."""
        answer = self._object("GET", route("scan", scan_id, "history"))
        return {**answer, "history": self._objects(answer, "history")}

    def delete(self, scan_id: str, *, completed: bool = False) -> Json:
        """Abort a scan, or mark a completed one as deleted: its manifest and result."""
        return self._object("DELETE", route("scan", scan_id), body={"delete_completed_scan": completed})

    def find(self, query: Mapping[str, object], *, include_deleted: bool = False) -> list[Json]:
        """Manifests that match a MongoDB query."""
        body = {"filter": dict(query), "include_deleted": include_deleted}
        answer = self._object("POST", route("scans", "find"), body=body, repeatable=True)
        return self._objects(answer, "manifests")

    def backlog(self) -> Json:
        """The scans that wait for their start, and the limits within which they are started."""
        answer = self._object("GET", route("scans", "backlog"))
        return {**answer, "entries": self._objects(answer, "entries")}

    def request(self, scan_id: str) -> Json:
        """What was asked for."""
        return self._object("GET", route("scan-request", scan_id))

    def event(self, scan_id: str) -> Json:
        """A scan's event, deleted or not: `i3_event`."""
        query = {"include_deleted": "true"}
        answer = self._object("GET", route("scan", scan_id, "i3-event"), query=query)
        if not isinstance(answer.get("i3_event"), dict):
            raise Unreachable(self._misunderstood("i3_event"))
        return answer

    def logs(self, scan_id: str) -> Json:
        """Where the logs of a scan are."""
        return self._object("GET", route("scan", scan_id, "logs"))

    def rescan(self, scan_id: str, changes: Mapping[str, object]) -> Json:
        """Request another scan of a scan's event: the manifest of the new one."""
        return self._object("POST", route("scan", scan_id, "actions", "rescan"), body=changes)

    def add_workers(self, scan_id: str, cluster: Sequence[tuple[str, int]]) -> Json:
        """Ask for more workers for a scan, `(cluster, workers)`: its manifest."""
        path = route("scan", scan_id, "actions", "add-workers")
        return self._object("POST", path, body={"cluster": cluster})

    def subscribe(self, request: Mapping[str, object], *, key: str) -> Json:
        """Subscribe, and return the subscription, with a webhook's secret; a repeated key makes no second."""
        return self._object(
            "POST", route("subscriptions"), body=request, repeatable=True, headers={"Idempotency-Key": key}
        )

    def subscriptions(self, *, everyone: bool = False) -> list[Json]:
        """List the user's subscriptions, or those of all users."""
        query = {"all": "true"} if everyone else {}
        return self._objects(self._object("GET", route("subscriptions"), query=query), "subscriptions")

    def subscription(self, subscription_id: str) -> Json:
        """Read a subscription, with its latest deliveries."""
        answer = self._object("GET", route("subscriptions", subscription_id))
        return {**answer, "deliveries": self._objects(answer, "deliveries")}

    def change_subscription(self, subscription_id: str, changes: Mapping[str, object]) -> Json:
        """Change a subscription, and return it."""
        return self._object("PATCH", route("subscriptions", subscription_id), body=changes)

    def remove_subscription(self, subscription_id: str) -> Json:
        """Remove a subscription."""
        return self._object("DELETE", route("subscriptions", subscription_id))

    def try_subscription(self, subscription_id: str) -> Json:
        """Send a test, and return the receiver's answer."""
        return self._object("POST", route("subscriptions", subscription_id, "test"))

    def rotate_subscription(self, subscription_id: str) -> Json:
        """Make a new secret for a webhook, and return the subscription, with the secret."""
        return self._object("POST", route("subscriptions", subscription_id, "rotate"))

    def whole_subscription_id(self, given: str) -> str:
        """Complete the beginning of an id of the user's subscriptions; if there is none, return it unchanged.

        Raises:
            WrongUsage: several ids begin with it.
        """
        if not _BEGINNING.fullmatch(given):
            return given
        found = [str(one.get("subscription_id")) for one in self.subscriptions()]
        whole = [one for one in found if one.startswith(given)]
        if len(whole) > 1:
            raise WrongUsage(f"the ids of several subscriptions begin with {given}: give more of it")
        return whole[0] if whole else given

    def newest(self, beginning: str = "", *, limit: int) -> list[str]:
        """The ids of the newest scans, deleted or not, with a beginning."""
        body = {
            # "~" sorts behind all that an id has.
            "filter": {"scan_id": {"$gte": beginning, "$lt": f"{beginning}~"}} if beginning else {},
            "include_deleted": True,
            "limit": limit,
            "manifest_projection": ["scan_id"],
        }
        answer = self._object("POST", route("scans", "find"), body=body, repeatable=True)
        return [str(manifest["scan_id"]) for manifest in self._objects(answer, "manifests")]

    def whole_id(self, given: str) -> str:
        """The id of the scan whose id begins so; what can be no beginning of one is taken as it is.

        Raises:
            WrongUsage: the ids of several scans begin so.
        """
        if not _BEGINNING.fullmatch(given):
            return given
        match self.newest(given, limit=2):
            case [whole]:
                return whole
            case []:
                return given
            case several if given in several:
                return given
            case _:
                raise WrongUsage(f"the ids of several scans begin with {given}: give more of it")

    # -- how it is asked --------------------------------------------------------------------------

    def _object(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        repeatable: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Send a request, and read the object that is answered.

        Args:
            method: GET, POST, PATCH or DELETE.
            path: of the route.
            query: arguments of a GET.
            body: arguments of the other methods.
            repeatable: whether sending it again changes nothing more; None: whether it is a GET.
            headers: beside the client's own.
        """
        if repeatable is None:
            repeatable = method == "GET"
        timeout_seconds = self._timeout_seconds if repeatable else 0.0
        response = self._send(method, path, query, body, timeout_seconds, headers)
        return json_object(response, self._misunderstood(path))

    def _objects(self, answer: Json, name: str) -> list[Json]:
        """Take a list of objects from an answer."""
        found = answer.get(name)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Unreachable(self._misunderstood(name))
        return found

    def _misunderstood(self, what: str) -> str:
        return f"{self.address.url} does not speak as SkyDriver does ({what})."

    def _led_away(self, response: httpx.Response) -> str:
        """Say where an answer that is neither success nor error leads to, if anywhere."""
        if response.next_request is None:
            return self._misunderstood(f"HTTP {response.status_code}")
        here = f"{self.address.url} (from {self.address.origin})"
        url = response.next_request.url
        # The query may hold what is secret, the state of a login, say.
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        there = f"{url.scheme}://{url.netloc.decode('ascii')}{path}"
        return (
            f"{here} is not the service's own address: it leads to {there} (HTTP {response.status_code}). "
            "Give the service's address by --url or SKYDRIVER_URL."
        )

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        timeout_seconds: float,
        more_headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, again and again while that is of use: an answer of success (2xx).

        Raises:
            WrongUsage: the body cannot be sent.
            Refused: the service says no.
            Unreachable: no service answers, or it answers with a redirect. None is followed: the token would
                go along, and a POST would become a GET.
        """
        try:
            content = None if body is None else write_json(body)
        except ValueError as error:
            raise WrongUsage(f"what was given cannot be sent: {error}") from None
        headers = {
            **(more_headers or {}),
            **({} if content is None else {"Content-Type": "application/json"}),
        }
        deadline = time.monotonic() + timeout_seconds
        delay = FIRST_DELAY_SECONDS
        while True:
            response: httpx.Response | None = None
            failure: Exception | None = None
            try:
                response = self._http.request(method, path, params=query, content=content, headers=headers)
            except NO_ANSWER as error:
                failure = error
            if response is not None and response.status_code not in PASSING:
                if response.is_error:
                    raise Refused(response.status_code, _refusal(response))
                if not response.is_success:
                    raise Unreachable(self._led_away(response))
                return response
            if time.monotonic() + delay > deadline:
                break
            self._pause(delay)
            delay = min(2 * delay, MAX_DELAY_SECONDS)
        if response is not None and response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise Refused(response.status_code, _refusal(response))
        if response is not None:
            raise Unreachable(f"The service at {self.address.url} is overloaded: {_refusal(response)}")
        raise Unreachable(
            f"No service answers at {self.address.url} (from {self.address.origin}): "
            f"{cause(failure, self.address.url)}."
        )


def _refusal(response: httpx.Response) -> str:
    """One sentence from an error answer: the service's own `{code, error}`, else what it is by number."""
    try:
        error = json_object(response, "")["error"]
    except (Unreachable, KeyError):
        error = response.reason_phrase or "no reason given"
    if "www-authenticate" in response.headers:
        error = f"{error}; log in with `skydriver login`"
    return f"{error} (HTTP {response.status_code})"
