"""`GET /ui/login`: leads to Keycloak, and takes users who come back from there."""

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from skydriver.errors import Forbidden
from skydriver.settings import settings
from skydriver.ui import session
from skydriver.ui.pages import PageRequest, own_path, page, see_other


class LoginArguments(BaseModel):
    """The arguments of `GET /ui/login`: ours, and those that Keycloak adds when it leads a user back."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    next: str = "/ui"
    code: str | None = None
    state: str = ""
    error: str | None = None
    error_description: str = ""
    session_state: str = ""
    iss: str | None = None


@page("GET /ui/login", roles=(), arguments=LoginArguments)
async def login(request: PageRequest[LoginArguments]) -> Response:
    """Begin a login; with a code of Keycloak's finish it."""
    given = request.arguments
    if settings().skydriver_no_auth:
        return see_other(own_path(given.next))
    if given.error is not None:
        raise Forbidden(f"authentication failed: Keycloak says '{given.error[:100]}'; begin anew at /ui")
    if given.iss not in (None, (settings().auth_openid_url or "").rstrip("/")):
        raise Forbidden("authentication failed: this answer is of another issuer")
    if given.code is None:
        return await session.begin(given.next, request.cookies)
    return await session.finish(given.code, given.state, request.cookies)
