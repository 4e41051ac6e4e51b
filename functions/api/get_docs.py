"""`GET /docs`: shows people what the REST interface takes and answers."""

from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from skydriver.rest import docs
from skydriver.rest.route import Call, route

DAY = 24 * 3600


class DocsArguments(BaseModel):
    """The argument of `GET /docs`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    file: Literal["swagger-ui.css", "swagger-ui-bundle.js", "page.js"] | None = Field(
        None, description="a file that the page needs; without it, the page itself"
    )


@route("GET /docs", roles=(), arguments=DocsArguments)
async def get_docs(call: Call[DocsArguments]) -> Response:
    """Answer a page that shows this interface, or one of its files."""
    name = call.arguments.file
    if name is None:
        return HTMLResponse(docs.PAGE, headers={"Content-Security-Policy": docs.POLICY})
    return Response(
        docs.read(name),
        media_type=docs.TYPES[PurePath(name).suffix],
        headers={"Cache-Control": f"public, max-age={DAY}"},
    )
