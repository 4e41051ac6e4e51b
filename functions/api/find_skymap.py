"""`GET /skymaps`: leads to the newest final skymap of an event."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from skydriver.errors import NotFound
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.store.scans import search as scan_search

Number = Annotated[int, Field(ge=0, lt=2**63)]


class EventArguments(BaseModel):
    """The arguments of `GET /skymaps`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    run: Number = Field(description="the event's run")
    event: Number = Field(description="its number in the run")


@endpoint("GET /skymaps", roles=(Role.USER,), arguments=EventArguments, redirects=True)
async def find_skymap(request: RequestContext[EventArguments]) -> Response:
    """Lead to the summary of the newest scan of an event that has a final result."""
    run, event = request.arguments.run, request.arguments.event
    scan_id = await scan_search.newest_final(run, event)
    if scan_id is None:
        raise NotFound(f"there is no scan of run {run}, event {event} with a final result")
    location = f"/scan/{scan_id}/skymap"
    return Response(status_code=303, headers={"Location": location, "Cache-Control": "private, no-cache"})
