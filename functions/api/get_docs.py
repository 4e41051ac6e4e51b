"""`GET /docs`: shows people what the REST interface takes and answers."""

from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.openapi import swagger_ui

DAY = 24 * 3600


class DocsArguments(BaseModel):
    """The argument of `GET /docs`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    file: Literal["swagger-ui.css", "swagger-ui-bundle.js", "page.js"] | None = Field(
        None, description="a file that the page needs; without it, the page itself"
    )


@endpoint("GET /docs", roles=(), arguments=DocsArguments)
async def get_docs(request: RequestContext[DocsArguments]) -> Response:
    """Answer a page that shows this interface, or one of its files."""
    name = request.arguments.file
    if name is None:
        return HTMLResponse(swagger_ui.PAGE, headers={"Content-Security-Policy": swagger_ui.POLICY})
    return Response(
        swagger_ui.read(name),
        media_type=swagger_ui.TYPES[PurePath(name).suffix],
        headers={"Cache-Control": f"public, max-age={DAY}"},
    )
