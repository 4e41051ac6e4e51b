"""The job host's HTTP interface.

A client that can call it can run programs as the user who started it. So the address that clients are given
holds a secret: another user of the same machine does not know it.
"""

import secrets

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skydriver.local.jobs.host import Job, JobHost, JobRequest


class JobApi:
    """The ASGI app of a job host.

    Attributes:
        app: what to serve.
        prefix: the path that all requests must begin with.
    """

    def __init__(self, host: JobHost) -> None:
        self._host = host
        self.prefix = f"/{secrets.token_urlsafe(24)}"
        self.app = Starlette(
            routes=[
                Route(f"{self.prefix}/jobs", self._find, methods=["GET"]),
                Route(f"{self.prefix}/jobs/{{name}}", self._get, methods=["GET"]),
                Route(f"{self.prefix}/jobs/{{name}}", self._put, methods=["PUT"]),
                Route(f"{self.prefix}/jobs/{{name}}", self._delete, methods=["DELETE"]),
            ]
        )

    async def _find(self, request: Request) -> Response:
        wanted = dict(label.partition("=")[::2] for label in request.query_params.getlist("label"))
        return JSONResponse({"jobs": {name: _dump(job) for name, job in self._host.find(wanted).items()}})

    async def _get(self, request: Request) -> Response:
        job = self._host.get(request.path_params["name"])
        return _error(404, "there is no such job") if job is None else JSONResponse(_dump(job))

    async def _put(self, request: Request) -> Response:
        try:
            wanted = JobRequest.model_validate_json(await request.body())
        except ValidationError as error:
            # Inputs may hold secrets: they are left out of what is said.
            return _error(400, error.json(include_input=False, include_url=False))
        try:
            created = self._host.create(request.path_params["name"], wanted)
        except ValueError as error:
            return _error(400, str(error))
        except OSError as error:  # no room on the disk, ...
            return _error(503, f"a job's folder cannot be made: {error.strerror}")
        return Response(status_code=201 if created else 200)

    async def _delete(self, request: Request) -> Response:
        await self._host.delete(request.path_params["name"])
        return Response(status_code=204)


def _dump(job: Job) -> dict[str, object]:
    return job.model_dump(mode="json")


def _error(code: int, error: str) -> Response:
    return JSONResponse({"code": code, "error": error}, status_code=code)
