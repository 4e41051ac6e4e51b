"""All routes under one address: finds the function that answers a request, and passes both on.

Knative routes by host only. This is the way to one host that needs nothing of the ingress; where that can
route by path, `knative/overlays/gateway-api` does it without this hop.

Environment: ROUTES_FILE, the route table; K8S_NAMESPACE; FUNCTION_ADDRESS, where a function is, with
`{service}` and `{namespace}` in it.
"""

import os
from functools import cache
from pathlib import Path

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from skydriver.gateway.admission import Admission
from skydriver.gateway.proxy import forward, proxy_transport
from skydriver.gateway.route_table import MethodNotAllowed, NotFound, RouteTable
from skydriver.rest.responses import not_found_or_method_not_allowed
from skydriver.runtime.per_loop import PerLoop

_transport = PerLoop(proxy_transport, lambda transport: transport.aclose())


@cache
def _table() -> RouteTable:
    return RouteTable.load(Path(os.environ["ROUTES_FILE"]))


@cache
def _admission() -> Admission:
    return Admission(_table().limits)


@functions_framework.aio.http
async def gateway(request: Request) -> Response:
    """Answer as the function does that the route table names."""
    # Not that of `request.url`, which is without line breaks.
    path: str = request.scope["path"]
    match _table().match(request.method, path):
        case NotFound():
            return not_found_or_method_not_allowed(request.method, path)
        case MethodNotAllowed(allowed):
            return not_found_or_method_not_allowed(request.method, path, allowed)
        case service:
            address = os.environ["FUNCTION_ADDRESS"].format(
                service=service, namespace=os.environ["K8S_NAMESPACE"]
            )
            with _admission().admitted(service) as refusal:
                return refusal or await forward(request, transport=_transport.get(), address=address)
