"""The hello-world that cold starts are compared with."""

import functions_framework.aio
from starlette.requests import Request


@functions_framework.aio.http
async def hello(request: Request) -> str:
    """Say so."""
    return "hello"
