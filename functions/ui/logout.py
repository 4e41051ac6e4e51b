"""`POST /ui/logout`: ends a session."""

from starlette.responses import Response

from skydriver.rest.arguments import NoArguments
from skydriver.rest.sessions import session_of
from skydriver.ui import session
from skydriver.ui.forms import Form, check_token
from skydriver.ui.pages import PageRequest, page, see_other


@page("POST /ui/logout", roles=())
async def logout(request: PageRequest[NoArguments]) -> Response:
    """End the session, if there still is one."""
    ending = session_of(request.cookies)
    if ending is None:
        return see_other("/ui")
    check_token((request.form or Form()).token, ending.name)
    return await session.end(ending)
