"""The one address: every route to its function, events to their Broker."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from skydriver.gateway.admission import Admission
from skydriver.gateway.forwarded_host import headers_with_host
from skydriver.gateway.route_table import MethodNotAllowed, NotFound, RouteTable
from skydriver.local.knative.broker import Broker
from skydriver.rest.responses import not_found_or_method_not_allowed

_BROKERS = "/broker/"


def ingress_path(broker: str) -> str:
    """The path that a Broker takes events in at."""
    return f"{_BROKERS}{broker}"


class Ingress:
    """The ASGI app of the local runtime's address."""

    def __init__(
        self, *, routes: RouteTable, functions: Mapping[str, ASGIApp], brokers: Mapping[str, Broker]
    ) -> None:
        self._routes = routes
        self._admission = Admission(routes.limits)
        self._functions = functions
        self._brokers = {ingress_path(name): broker for name, broker in brokers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path: str = scope["path"]
        broker = self._brokers.get(path) if path.startswith(_BROKERS) else None
        if broker is not None:
            answer = await broker.ingress(Request(scope, receive))
            await answer(scope, receive, send)
            return
        match self._routes.match(scope["method"], path):
            case NotFound():
                await not_found_or_method_not_allowed(scope["method"], path)(scope, receive, send)
            case MethodNotAllowed(allowed):
                await not_found_or_method_not_allowed(scope["method"], path, allowed)(scope, receive, send)
            case service:
                scope = {**scope, "headers": headers_with_host(scope["headers"])}
                with self._admission.admitted(service) as refusal:
                    await (refusal or self._functions[service])(scope, receive, send)
