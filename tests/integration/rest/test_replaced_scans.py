"""Users are led from a scan to the rescan that has taken its place; scanners and the system are not."""

from collections.abc import Callable

import httpx
import pytest

from skydriver.scanner.tokens import make_scanner_token
from tests.integration.rest.api import Api

ROUTES = ("", "/manifest", "/result", "/status")


async def get(api: Api, path: str, *, token: str | None = None, follow: bool = True) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await api.http.get(path, headers=headers, follow_redirects=follow)


async def replace(api: Api, scan_id: str) -> str:
    asked = {"replace_scan": True, "abort_first": True}
    return str((await api.call("POST", f"/scan/{scan_id}/actions/rescan", asked))["scan_id"])


@pytest.mark.parametrize("route", ROUTES)
async def test_users_are_led_along_the_whole_chain_with_their_query(
    api: Api, scan_id: str, route: str
) -> None:
    second = await replace(api, scan_id)
    third = await replace(api, second)
    query = "include_deleted=true&no_redirect=false"
    first_answer = await get(api, f"/scan/{scan_id}{route}?{query}", follow=False)
    assert first_answer.status_code == 302
    assert first_answer.headers["location"] == f"/scan/{second}{route}?{query}"
    answer = await get(api, f"/scan/{scan_id}{route}?{query}")
    assert (answer.status_code, answer.url.path) == (200, f"/scan/{third}{route}")


async def test_a_deleted_scan_leads_on_and_one_that_was_scanned_again_only_does_not(
    api: Api, scan_id: str
) -> None:
    again = (await api.call("POST", f"/scan/{scan_id}/actions/rescan"))["scan_id"]
    assert (await api.call("GET", f"/scan/{scan_id}/manifest"))["replaced_by_scan_id"] is None
    second = await replace(api, scan_id)
    # It was aborted and so deleted, which would be a 404.
    assert (await get(api, f"/scan/{scan_id}/manifest")).json()["scan_id"] == second
    request = await api.call("GET", f"/scan-request/{scan_id}")
    assert request["rescan_ids"] == [again, second]


async def test_users_can_stay(api: Api, scan_id: str) -> None:
    second = await replace(api, scan_id)
    for route in ROUTES:
        stayed = await get(api, f"/scan/{scan_id}{route}?include_deleted=true&no_redirect=true", follow=False)
        assert stayed.status_code == 200, route
    path = f"/scan/{scan_id}/manifest?include_deleted=true&no_redirect=true"
    assert (await get(api, path)).json()["replaced_by_scan_id"] == second
    assert "argument no_redirect" in (await get(api, f"/scan/{scan_id}/status?no_redirect=perhaps")).text


async def test_a_rescan_of_a_rescan_replaces_that_one_only(api: Api, scan_id: str) -> None:
    again = (await api.call("POST", f"/scan/{scan_id}/actions/rescan"))["scan_id"]
    third = await replace(api, again)
    assert (await get(api, f"/scan/{scan_id}/status", follow=False)).status_code == 200
    assert (await get(api, f"/scan/{again}/status", follow=False)).headers["location"].split("/")[2] == third
    request = await api.call("GET", f"/scan-request/{scan_id}")
    assert request["rescan_ids"] == [again, third]


async def test_a_scanner_is_never_led_away(api: Api, configure: Callable[..., None], scan_id: str) -> None:
    await replace(api, scan_id)
    token = make_scanner_token(scan_id, 1, lifetime=60)
    for route in ("/status", "/manifest?include_deleted=true"):
        answer = await get(api, f"/scan/{scan_id}{route}", token=token, follow=False)
        assert answer.status_code == 200, route
