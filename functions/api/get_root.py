"""`GET /`: says that the service is there."""

from typing import Any

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint


@endpoint("GET /", roles=(Role.USER, Role.SYSTEM), answer="Nothing")
async def get_root(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer an empty object."""
    return {}
