"""The one shape of an error: `{code, error}` as JSON, as v1 answered, with a sentence for people."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from skydriver.errors import NotAuthenticated, SkyDriverError


def error_answer(code: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with an error.

    Args:
        code: the HTTP status.
        error: the sentence.
        headers: further headers.
    """
    body = orjson.dumps({"code": code, "error": error})
    return Response(body, status_code=code, media_type="application/json", headers=dict(headers or {}))


def response_of_error(error: SkyDriverError) -> Response:
    """Turn one of our errors into the answer that a client gets."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, section 11.6.1, allows it with any status.
    return error_answer(error.http_status, str(error), headers)
