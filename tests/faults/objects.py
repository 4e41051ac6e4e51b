"""An S3 bucket in memory: what startup files need of one."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Objects:
    """The ASGI app; `held` is what it holds, by path."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put, get or remove an object."""
        request = Request(scope, receive)
        path, response = request.url.path, Response()
        match request.method:
            case "PUT":
                self.held[path] = await request.body()
            case "DELETE":
                self.held.pop(path, None)
                response = Response(status_code=204)
            case _ if path in self.held:
                response = Response(self.held[path])
            case _:
                response = Response(status_code=404)
        await response(scope, receive, send)
