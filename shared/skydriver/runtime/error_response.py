"""The one shape of an error: `{code, error}` as JSON, as v1 answered, with a sentence for people."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response


def error_answer(code: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with an error.

    Args:
        code: the HTTP status.
        error: the sentence.
        headers: further headers.
    """
    body = orjson.dumps({"code": code, "error": error})
    return Response(body, status_code=code, media_type="application/json", headers=dict(headers or {}))
