"""`GET /openapi.json`: tells programs what the REST interface takes and answers."""

import importlib
import pkgutil
from functools import cache

import orjson
from starlette.responses import Response

from functions import api
from skydriver.rest.arguments import NoArguments
from skydriver.rest.endpoint import EndpointInfo, RequestContext, endpoint
from skydriver.rest.openapi.document import document
from skydriver.settings import settings


@endpoint("GET /openapi.json", roles=())
async def get_openapi(request: RequestContext[NoArguments]) -> Response:
    """Answer the OpenAPI document of this interface."""
    return Response(_document(), media_type="application/json")


@cache
def _document() -> bytes:
    made = document(_routes(), url=settings().skydriver_url, issuer=settings().auth_openid_url)
    return orjson.dumps(made)


def _routes() -> list[EndpointInfo]:
    """Ask every function of the interface what it says of itself."""
    found = []
    for place in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{place.name}")
        function = getattr(module, place.name)
        found.append(function.route)
    return found
