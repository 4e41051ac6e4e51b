"""A route's function as functions-framework serves it: path, method, arguments, errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from pymongo.errors import AutoReconnect, ExecutionTimeout, ServerSelectionTimeoutError
from starlette.responses import Response

from skydriver.errors import (
    Busy,
    Conflict,
    Forbidden,
    InvalidArguments,
    NotFound,
    PermanentError,
    SkyDriverError,
    TemporaryError,
    TooLarge,
)
from skydriver.rest.arguments import DeletedToo, NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.scanner.tokens import make_scanner_token
from tests.support.serving import client_of

pytestmark = pytest.mark.usefixtures("configure")

ALL = (Role.USER, Role.SYSTEM, Role.SCANNER)


class PutArguments(BaseModel):
    model_config = {"extra": "forbid"}

    numbers: list[float | None] = []
    name: str = ""


def serve(
    line: str,
    handle: Callable[[RequestContext[Any]], Awaitable[Response | dict[str, Any]]] | None = None,
    *,
    roles: tuple[Role, ...] = ALL,
    arguments: type[BaseModel] = NoArguments,
    **options: Any,
) -> httpx.AsyncClient:
    """Serve a route whose handler answers what it was called with."""

    async def echo(call: RequestContext[Any]) -> dict[str, Any]:
        return {
            "scan_id": call.scan_id,
            "attempt": call.attempt,
            "arguments": call.arguments.model_dump(),
            "caller": call.caller.name,
            "body": call.body.decode(),
        }

    return client_of(endpoint(line, roles=roles, arguments=arguments, **options)(handle or echo))


def refused(answer: httpx.Response, code: int) -> str:
    """Check that an answer is an error as v1 answered them, and return its sentence."""
    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"code", "error"}
    assert body["code"] == code
    return str(body["error"])


# --- path and method -----------------------------------------------------------------------------------


async def test_a_call_of_a_route() -> None:
    async with serve("GET /scan/{scan_id}", arguments=DeletedToo) as client:
        answer = await client.get("/scan/5d2e", params={"include_deleted": "yes"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "scan_id": "5d2e",
        "attempt": 1,
        "arguments": {"include_deleted": True},
        "caller": None,
        "body": "",
    }


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/scan",
            "/scan/",
            "/scan/5d2e",
            "/scan/5d2e/",
            "/scan/5d2e/manifest/",
            "/scan/5d2e/manifests",
        ),
        *("/scan//manifest", "/scan/5d2e/x/manifest", "/x/scan/5d2e/manifest", "/scan/5d-2e/manifest"),
        *("/scan/5d2e%2Fx/manifest", "/scan/a.b/manifest", "/SCAN/5d2e/manifest"),
    ],
)
async def test_any_other_path_is_answered_in_json_with_404(path: str) -> None:
    async with serve("GET /scan/{scan_id}/manifest") as client:
        error = refused(await client.get(path), 404)
    assert error == "there is no such path; this function serves /scan/{scan_id}/manifest"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_any_other_method_is_answered_with_405_and_the_right_one(method: str) -> None:
    async with serve("GET /scan/{scan_id}") as client:
        answer = await client.request(method, "/scan/5d2e")
    assert refused(answer, 405) == f"{method} is not served at /scan/5d2e, but GET"
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_that_takes_a_body(method: str) -> None:
    async with serve(f"{method} /scan", arguments=PutArguments) as client:
        answer = await client.request(method, "/scan", json={"name": "x"})
    assert answer.json()["arguments"] == {"name": "x", "numbers": []}


# --- arguments -----------------------------------------------------------------------------------------


async def test_a_body_of_a_get_is_not_read() -> None:
    async with serve("GET /scan") as client:
        answer = await client.request("GET", "/scan", content=b"nonsense")
    assert answer.status_code == 200


async def test_an_absent_body() -> None:
    async with serve("POST /scan", arguments=PutArguments) as client:
        assert (await client.post("/scan")).json()["arguments"] == {"name": "", "numbers": []}


async def test_what_the_body_says_wins_over_the_query() -> None:
    async with serve("POST /scan", arguments=PutArguments) as client:
        answer = await client.post("/scan", params={"name": "query", "numbers": "1"}, json={"name": "body"})
    assert refused(answer, 400).startswith("argument numbers: ")
    async with serve("POST /scan", arguments=PutArguments) as client:
        answer = await client.post("/scan", params={"name": "query"}, json={"name": "body"})
    assert answer.json()["arguments"]["name"] == "body"


@pytest.mark.parametrize("body", [b"{", b"nonsense", b"[]", b'"x"', b"[" * 50_000], ids=repr)
async def test_a_body_that_is_no_json_object(body: bytes) -> None:
    async with serve("POST /scan", arguments=PutArguments) as client:
        assert refused(await client.post("/scan", content=body), 400).startswith("argument body: must be")


async def test_an_unknown_argument_of_query_or_body_is_named() -> None:
    async with serve("POST /scan", arguments=PutArguments) as client:
        answer = await client.post("/scan", params={"foo": 1}, json={"bar": 2, "name": 3})
    error = refused(answer, 400)
    assert "argument foo: is an unrecognized argument" in error
    assert "argument bar: is an unrecognized argument" in error
    assert "argument name: " in error


async def test_nan_in_a_body() -> None:
    content = b'{"numbers": [NaN, 1, Infinity]}'
    async with serve("PUT /scan", arguments=PutArguments) as client:
        answer = await client.put("/scan", content=content)
    assert answer.json()["arguments"]["numbers"] == [None, 1, None]


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with serve("GET /scan/{scan_id}") as client:
        for path, code in (("/scan/5d2e", 200), ("/scan", 404)):
            whole, head = await client.get(path), await client.head(path)
            assert (whole.status_code, head.status_code, head.content) == (code, code, b"")
            assert whole.content
            assert head.headers == whole.headers
    async with serve("POST /scan", arguments=PutArguments) as client:
        answer = await client.head("/scan")
        assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, identity"])
async def test_a_compressed_body_is_not_taken(coding: str) -> None:
    for holds in (True, False):
        async with serve("POST /scan", arguments=PutArguments, body_holds_arguments=holds) as client:
            answer = await client.post("/scan", content=b"{}", headers={"Content-Encoding": coding})
        said = refused(answer, 415)
        assert said == f"the body must not be compressed, but its Content-Encoding is '{coding}'"


async def test_a_query_of_a_route_without_arguments_is_not_looked_at() -> None:
    async with serve("GET /scan") as client:
        assert (await client.get("/scan", params={"include_deleted": "maybe", "x": 1})).status_code == 200
    async with serve("GET /scan", arguments=DeletedToo) as client:
        refused(await client.get("/scan", params={"x": 1}), 400)


async def test_a_body_that_is_left_to_the_handler() -> None:
    async with serve("POST /scan", body_holds_arguments=False) as client:
        assert (await client.post("/scan", content=b"[anything")).json()["body"] == "[anything"


# --- sizes ---------------------------------------------------------------------------------------------


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(size // 10):
        yield b" " * 10


async def test_a_body_up_to_the_limit(configure: Callable[..., None]) -> None:
    async with serve("PUT /scan", limit=lambda: 100) as client:
        for content in (b" " * 100, pieces(100)):
            assert (await client.put("/scan", content=content)).status_code == 200
        for content in (b" " * 101, pieces(110)):
            error = refused(await client.put("/scan", content=content), 413)
            assert error == "the body must have 100 bytes at most"


async def test_the_usual_limit_is_a_setting(configure: Callable[..., None]) -> None:
    configure(MAX_BODY_BYTES="10")
    async with serve("PUT /scan") as client:
        assert (await client.put("/scan", content=b" " * 10)).status_code == 200
        refused(await client.put("/scan", content=b" " * 11), 413)


@pytest.mark.parametrize("length", ["-5", "x", "²", "1e9"])
async def test_a_length_that_is_none(length: str) -> None:
    async with serve("PUT /scan", limit=lambda: 10) as client:
        headers = [(b"content-length", length.encode())]
        refused(await client.put("/scan", content=pieces(50), headers=headers), 413)


# --- errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidArguments({"cluster": "is required"}), 400),
        (Conflict("Cannot change an existing event_metadata"), 400),
        (PermanentError("no"), 400),
        (SkyDriverError("no"), 400),
        (Forbidden("authorization failed"), 403),
        (NotFound("there is no scan 'x'"), 404),
        (TooLarge("too large"), 413),
        (Busy("another is at it"), 503),
        (TemporaryError("S3 does not answer"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_our_errors_are_answered_with_their_sentence(error: SkyDriverError, code: int) -> None:
    async def handle(call: RequestContext[Any]) -> dict[str, Any]:
        raise error

    async with serve("GET /scan", handle) as client:
        answer = await client.get("/scan")
    assert refused(answer, code) == str(error)
    assert ("retry-after" in answer.headers) == (code == 503)


@pytest.mark.parametrize(
    "error",
    [ServerSelectionTimeoutError("mongodb://user:pass@host"), AutoReconnect("x"), ExecutionTimeout("x")],
)
async def test_an_outage_of_the_database_is_a_503_that_tells_nothing_of_it(error: Exception) -> None:
    async def handle(call: RequestContext[Any]) -> dict[str, Any]:
        raise error

    async with serve("GET /scan", handle) as client:
        answer = await client.get("/scan")
    assert refused(answer, 503) == "the database does not answer; try again"
    assert answer.headers["retry-after"].isdecimal()


async def test_a_handler_that_takes_too_long(configure: Callable[..., None]) -> None:
    configure(STEP_DEADLINE="0.05")

    async def handle(call: RequestContext[Any]) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async with serve("GET /scan", handle) as client:
        answer = await client.get("/scan")
    assert refused(answer, 503) == "there was no answer within 0.05 s; try again"
    assert answer.headers["retry-after"].isdecimal()


async def test_a_fault_of_ours_is_a_500_that_tells_nothing_of_it() -> None:
    async def handle(call: RequestContext[Any]) -> dict[str, Any]:
        raise KeyError("secret")

    async with serve("GET /scan", handle) as client:
        assert "secret" not in refused(await client.get("/scan"), 500)


async def test_a_handler_may_answer_for_itself() -> None:
    async def handle(call: RequestContext[Any]) -> Response:
        return Response(status_code=204)

    async with serve("GET /scan", handle) as client:
        answer = await client.get("/scan")
    assert (answer.status_code, answer.content) == (204, b"")


# --- who may, and for which scan -----------------------------------------------------------------------


def token(scan_id: str, attempt: int = 1, lifetime: float = 60) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_scanner_token(scan_id, attempt, lifetime=lifetime)}"}


async def test_without_authentication_anybody_is_a_user_and_the_system_but_no_scanner() -> None:
    for roles, code in (((Role.USER,), 200), ((Role.SYSTEM,), 200), ((Role.SCANNER,), 403)):
        async with serve("GET /scan/{scan_id}", roles=roles) as client:
            answer = await client.get("/scan/5d2e")
        assert answer.status_code == code


async def test_a_role_that_is_missing_is_named() -> None:
    async with serve("GET /scan/{scan_id}", roles=(Role.USER, Role.SYSTEM)) as client:
        answer = await client.get("/scan/5d2e", headers=token("5d2e"))
    assert refused(answer, 403) == "authorization failed: this needs the role user or system"


@pytest.mark.parametrize(("path", "attempt"), [("5d2e", 1), ("5d2e_1", 1), ("5d2e_2", 2), ("5d2e_12", 12)])
async def test_a_scan_by_the_name_that_an_attempts_scanner_uses(path: str, attempt: int) -> None:
    async with serve("GET /scan/{scan_id}") as client:
        answer = await client.get(f"/scan/{path}")
    assert (answer.json()["scan_id"], answer.json()["attempt"]) == ("5d2e", attempt)


@pytest.mark.parametrize(("attempt", "path"), [(1, "5d2e"), (1, "5d2e_1"), (2, "5d2e_2"), (2, "5d2e")])
async def test_a_scanner_speaks_for_the_attempt_of_its_token(attempt: int, path: str) -> None:
    async with serve("GET /scan/{scan_id}") as client:
        answer = await client.get(f"/scan/{path}", headers=token("5d2e", attempt))
    assert (answer.json()["scan_id"], answer.json()["attempt"]) == ("5d2e", attempt)
    assert answer.json()["caller"] == "scanner of 5d2e"


@pytest.mark.parametrize(
    ("attempt", "path"), [(1, "e7e7"), (1, "5d2e_2"), (2, "5d2e_1"), (2, "e7e7_2"), (1, "5d2")]
)
async def test_a_scanners_token_is_good_for_its_own_scan_and_attempt_only(attempt: int, path: str) -> None:
    async with serve("GET /scan/{scan_id}") as client:
        answer = await client.get(f"/scan/{path}", headers=token("5d2e", attempt))
    assert "own scan only" in refused(answer, 403)


async def test_roles_are_looked_at_before_arguments_and_paths_before_roles() -> None:
    async with serve("POST /scan", roles=(Role.SCANNER,)) as client:
        refused(await client.post("/scan", content=b"nonsense"), 403)
        refused(await client.post("/scans", content=b"nonsense"), 404)


def test_a_function_says_which_route_it_serves() -> None:
    async def get_it(call: RequestContext[DeletedToo]) -> dict[str, Any]:
        return {}

    function: Any = endpoint("GET /scan/{scan_id}", roles=(Role.USER,), arguments=DeletedToo)(get_it)
    info = function.route
    assert (info.method, info.path, info.roles, info.arguments) == (
        "GET",
        "/scan/{scan_id}",
        (Role.USER,),
        DeletedToo,
    )
    assert function.__name__ == "get_it"


async def test_answers_keep_what_json_keeps() -> None:
    async def handle(call: RequestContext[Any]) -> dict[str, Any]:
        return {"a.b": [None, 1.5, "é"], "c": {}}

    async with serve("GET /scan", handle) as client:
        answer = await client.get("/scan")
    assert json.loads(answer.content) == {"a.b": [None, 1.5, "é"], "c": {}}
