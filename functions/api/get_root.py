"""`GET /`: says that the service is there."""

from typing import Any

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import Call, route


@route("GET /", roles=(Role.USER, Role.SYSTEM), answer="Nothing")
async def get_root(call: Call[NoArguments]) -> dict[str, Any]:
    """Answer an empty object."""
    return {}
