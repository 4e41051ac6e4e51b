"""Paths, methods and queries that v1's clients send, or that no client should."""

from pathlib import PurePosixPath

import pytest

from skydriver.local.knative.overlay import read_overlay
from skydriver.ui.render import static_url
from tests.conftest import ROOT
from tests.integration.rest.api import Api

ROUTES = read_overlay(ROOT / "knative" / "overlays" / "local").routes.routes
READS = [route.path for route in ROUTES if route.method == "GET"]
UNREADABLE = {
    **dict.fromkeys((route.path for route in ROUTES if route.max_requests), 404),
    "/skymaps": 400,
    "/subscriptions/{subscription_id}": 404,
    **{f"/subscriptions/{{subscription_id}}/{action}": 400 for action in ("confirm", "unsubscribe")},
    "/ui/login": 303,
}
"""What a scan without a result, a call without arguments, or one where no login is needed is answered."""
CHANGES = {"date", "transfer-encoding"}
"""Headers of the moment and of the connection."""


@pytest.mark.parametrize("path", READS)
async def test_head_of_whatever_can_be_read(api: Api, scan_id: str, path: str) -> None:
    code = UNREADABLE.get(path, 200)
    named = {
        "scan_id": scan_id,
        "subscription_id": "5d2e",
        "file": PurePosixPath(static_url("style.css")).name,
    }
    path = path.format(**named)
    whole, head = await api.http.get(path), await api.http.head(path)
    assert (whole.status_code, head.status_code, head.content) == (code, code, b"")
    shown, told = (
        {name: value for name, value in answer.headers.items() if name not in CHANGES}
        for answer in (whole, head)
    )
    assert told == shown
    assert (await api.http.head(f"{path}%0A")).status_code == 404


async def test_head_where_nothing_can_be_read(api: Api) -> None:
    answer = await api.http.head("/scans/find")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = await api.http.put("/scans/backlog")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        *("/%0A", "/scan%0A", "/scan/{}%0A", "/scan/%0A{}", "/scan/{}/status%0A", "/scan/{}%0D%0A/status"),
        *(
            "/scan/{}%09",
            "/scan/{}%00",
            "/scan/{}%3Fx",
            "/scan/{}%23x",
            "/scan/{}%2Fstatus%3F",
            "/scan/{}%E9",
        ),
        *("/robots.txt", "/favicon.ico", "/scan/{}/robots.txt", "/%2e%2e"),
    ],
)
async def test_a_path_that_there_is_not_is_a_404_in_json(api: Api, scan_id: str, path: str) -> None:
    answer = await api.http.get(path.replace("{}", scan_id))
    assert answer.status_code == 404, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == 404


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PROPFIND"])
async def test_a_method_that_there_is_not_is_a_405_in_json(api: Api, scan_id: str, method: str) -> None:
    answer = await api.http.request(method, f"/scan/{scan_id}")
    assert (answer.status_code, answer.json()["code"]) == (405, 405)
    assert answer.headers["allow"] == "DELETE, GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/scan/{}/status", "/scan/{}/i3-event", "/scan/{}/history", "/scan-request/{}"]
)
async def test_what_answers_for_deleted_scans_takes_include_deleted(
    api: Api, scan_id: str, path: str
) -> None:
    path = path.format(scan_id)
    whole = await api.call("GET", path)
    assert await api.call("GET", f"{path}?include_deleted=false") == whole
    await api.call("DELETE", f"/scan/{scan_id}", {})
    await api.call("DELETE", f"/scan/{scan_id}", {"delete_completed_scan": True})
    for query in ("", "?include_deleted=true", "?include_deleted=1"):
        assert await api.call("GET", path + query)
    assert "was deleted" in await api.refusal("GET", f"{path}?include_deleted=false", code=404)
    assert await api.refusal("GET", f"{path}?includ_deleted=1") == (
        "argument includ_deleted: is an unrecognized argument"
    )


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/scans/backlog", "/scan/{}/logs"])
async def test_routes_without_arguments_do_not_look_at_the_query(api: Api, scan_id: str, path: str) -> None:
    path = path.format(scan_id)
    assert await api.call("GET", f"{path}?include_deleted=maybe&x=1") == await api.call("GET", path)


@pytest.mark.parametrize("parts", [100, 101, 200, 500])
async def test_a_name_of_many_parts_in_a_filter(api: Api, parts: int) -> None:
    name = "scan_metadata" + ".a" * (parts - 1)
    for condition in (
        {name: 1},
        {"$or": [{name: {"$gt": 1}}]},
        {"ewms_task.clusters": {"$elemMatch": {name: 1}}},
    ):
        answer = await api.answer("POST", "/scans/find", {"filter": condition})
        assert answer.status_code == (200 if parts <= 100 else 400), answer.text
        if parts > 100:
            assert answer.json()["error"] == "argument filter: names must not have more than 100 parts"
