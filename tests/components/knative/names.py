"""The names of a cluster, on this machine: an HTTP proxy that knows which process has which.

Knative's parts call each other, and the subscribers, by `http://SERVICE.NAMESPACE.svc.cluster.local`. No
machine's DNS knows these names, but Go's HTTP client goes through the proxy that HTTP_PROXY names.
"""

from collections.abc import Mapping

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_DOMAIN = ".svc.cluster.local"
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te"})


class Names:
    """The proxy, as an ASGI app."""

    def __init__(self, api: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
        """Make a proxy.

        Args:
            api: asks an API server for Services that only lead to another name.
            client: passes requests on.
        """
        self._api = api
        self._client = client
        self._addresses: dict[str, str] = {}
        self._aliases: dict[str, str] = {}

    def lead(self, service: str, namespace: str, address: str) -> None:
        """Give a process the name of a Service: an address is a scheme, a host and a port."""
        self._addresses[f"{service}.{namespace}{_DOMAIN}"] = address

    def direct(self, url: str) -> str:
        """Put an address in the place of a name, for programs that do not go through the proxy."""
        name = httpx.URL(url)
        address = httpx.URL(self._addresses[name.host])
        return str(name.copy_with(scheme=address.scheme, host=address.host, port=address.port))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the process that has its host's name, and its answer back."""
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        host = request.headers["host"].partition(":")[0]
        address = self._addresses.get(await self._resolve(host))
        if address is None:
            return _bad_gateway(f"there is no host {host}")
        try:
            answer = await self._client.request(
                request.method,
                f"{address}{request.url.path}",
                params=request.url.query,
                # Among them is the host: channels are told apart by it.
                headers=_of_the_message(request.headers),
                content=await request.body(),
            )
        except httpx.HTTPError as error:
            return _bad_gateway(repr(error))
        return Response(
            answer.content, status_code=answer.status_code, headers=_of_the_message(answer.headers)
        )

    async def _resolve(self, host: str) -> str:
        """Follow a Service of type ExternalName, as DNS does."""
        if host not in self._addresses and host not in self._aliases and host.endswith(_DOMAIN):
            name, namespace = host.removesuffix(_DOMAIN).split(".")
            service = (await self._api.get(f"/api/v1/namespaces/{namespace}/services/{name}")).json()
            if alias := service.get("spec", {}).get("externalName"):
                self._aliases[host] = alias
        return self._aliases.get(host, host)


def _of_the_message(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION}


def _bad_gateway(error: str) -> Response:
    return JSONResponse({"code": 502, "error": error}, status_code=502)
