from collections.abc import Iterator
from typing import Any

import pytest

from skydriver.cli.address import Address
from skydriver.cli.client import Client
from skydriver.cli.errors import Refused, Unreachable

BUSY = (503, {"code": 503, "error": "too busy"})


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(service: Any, waits: list[float]) -> Iterator[Client]:
    # Its waits are only noted down: the retries follow each other at once.
    with Client(Address(service.url, "a test"), "a-token", pause=waits.append) as made:
        yield made


def test_the_token_goes_along(client: Client, service: Any) -> None:
    service.on("GET", "/scans/backlog", {"entries": []})
    assert client.backlog() == {"entries": []}
    assert service.requests[0].authorization == "Bearer a-token"


def test_without_a_token_there_is_no_header(service: Any) -> None:
    service.on("GET", "/scans/backlog", {"entries": []})
    with Client(Address(service.url, "a test")) as client:
        client.backlog()
    assert service.requests[0].authorization is None


def test_a_refusal_is_the_services_own_sentence(client: Client, service: Any) -> None:
    service.on("POST", "/scan", {"code": 400, "error": "argument nsides: missing"}, status=400)
    with pytest.raises(Refused, match=r"argument nsides: missing \(HTTP 400\)") as refused:
        client.submit({})
    assert refused.value.status == 400
    assert refused.value.exit_code == 1


def test_an_unknown_user_is_led_to_the_login_whatever_the_sentence(client: Client, service: Any) -> None:
    service.on("GET", "/scan/x/status", {"code": 403, "error": "authentication failed: no"}, status=403)
    with pytest.raises(Refused, match=r"^authentication failed: no \(HTTP 403\)$"):
        client.status("x")
    service.headers["WWW-Authenticate"] = "Bearer"
    service.on("GET", "/scan/x/status", {"code": 403, "error": "who is there?"}, status=403)
    with pytest.raises(Refused, match=r"who is there\?; log in with `skydriver login` \(HTTP 403\)"):
        client.status("x")
    with pytest.raises(Refused, match="HTTP 404"):
        client.file("x", "skymap.fits", {})


@pytest.mark.parametrize("body", [b"<html>no</html>", [1], {"other": 1}])
def test_a_refusal_without_a_sentence_names_the_code(client: Client, service: Any, body: object) -> None:
    service.on("GET", "/scan/x/status", body, status=502)
    with pytest.raises(Refused, match=r"Bad Gateway \(HTTP 502\)"):
        client.status("x")


def test_a_read_waits_for_an_overloaded_service(client: Client, service: Any, waits: list[float]) -> None:
    service.on("GET", "/scan/x/status", BUSY, (502, b""), (504, b""), {"scan_state": "PENDING__PRESTARTUP"})
    assert client.status("x")["scan_state"] == "PENDING__PRESTARTUP"
    assert waits == sorted(waits)
    assert len(waits) == 3


def test_a_search_is_a_read(client: Client, service: Any) -> None:
    service.on("POST", "/scans/find", BUSY, {"manifests": []})
    assert client.find({"scan_id": "x"}) == []
    assert len(service.requests) == 2


def test_a_write_is_sent_once(client: Client, service: Any, waits: list[float]) -> None:
    service.on("POST", "/scan/x/actions/rescan", BUSY, {"scan_id": "y"})
    with pytest.raises(Unreachable, match="too busy"):
        client.rescan("x", {})
    assert [request.key for request in service.requests] == [None]
    assert waits == []


LOST = (0, None)


@pytest.mark.parametrize(
    "passing", [BUSY, (502, b"<html>Bad Gateway</html>"), (504, b""), LOST], ids=["503", "502", "504", "lost"]
)
def test_a_scan_is_requested_again_by_the_same_key(client: Client, service: Any, passing: Any) -> None:
    service.on("POST", "/scan", passing, passing, {"scan_id": "x"}, {"scan_id": "y"})
    assert client.submit({"nsides": {"8": 0}}) == {"scan_id": "x"}
    first, *again = service.requests
    assert again == [first, first]
    assert 1 <= len(first.key) <= 255
    assert client.submit({"nsides": {"8": 0}}) == {"scan_id": "y"}
    assert service.requests[-1].key != first.key, "another scan"


@pytest.mark.parametrize("status", [400, 409, 429, 500])
def test_a_scan_that_is_refused_is_not_requested_again(client: Client, service: Any, status: int) -> None:
    service.on("POST", "/scan", {"code": status, "error": "no"}, status=status)
    with pytest.raises(Refused):
        client.submit({})
    assert len(service.requests) == 1


def test_retries_have_an_end(service: Any) -> None:
    service.on("GET", "/scans/backlog", BUSY)
    with Client(Address(service.url, "a test"), timeout_seconds=0.0) as client, pytest.raises(Unreachable):
        client.backlog()


def test_a_service_that_is_not_there(unreachable: str) -> None:
    with (
        Client(Address(unreachable, "a note"), timeout_seconds=0.0) as client,
        pytest.raises(Unreachable, match=r"No service answers at .* \(from a note\)") as error,
    ):
        client.backlog()
    assert error.value.exit_code == 3


def test_something_else_is_there(client: Client, service: Any) -> None:
    service.on("GET", "/scans/backlog", b"hello")
    with pytest.raises(Unreachable, match="does not speak as SkyDriver does"):
        client.backlog()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_but_named(client: Client, service: Any, status: int) -> None:
    service.headers["Location"] = "https://jane:secret@sky.example.org:8443/scan/x?state=secret#secret"
    for method, path in (("GET", "/scan/x/skymap.fits"), ("GET", "/scan/x/status"), ("POST", "/scan")):
        service.on(method, path, b"<html>Moved</html>", status=status)
    asks = (
        lambda: client.file("x", "skymap.fits", {}),
        lambda: client.status("x"),
        lambda: client.submit({}),
    )
    for ask in asks:
        with pytest.raises(Unreachable) as error:
            ask()
        assert error.value.exit_code == 3
        assert f"leads to https://sky.example.org:8443/scan/x (HTTP {status})" in str(error.value)
        assert "--url or SKYDRIVER_URL" in str(error.value)
        assert "secret" not in str(error.value)
    assert len(service.requests) == len(asks)


def test_a_redirect_to_a_path_is_named_with_its_host(client: Client, service: Any) -> None:
    service.headers["Location"] = "/sky/scan/x?token=secret"
    service.on("GET", "/scan/x/status", b"", status=301)
    with pytest.raises(Unreachable, match=rf"leads to {service.url}/sky/scan/x \(HTTP 301\)"):
        client.status("x")


def test_an_answer_that_is_neither_success_nor_error_nor_leads_anywhere(client: Client, service: Any) -> None:
    service.on("GET", "/scan/x/skymap.fits", b"", status=300)
    with pytest.raises(Unreachable, match=r"does not speak as SkyDriver does \(HTTP 300\)"):
        client.file("x", "skymap.fits", {})


def test_a_page_is_no_product(client: Client, service: Any) -> None:
    service.headers["Content-Type"] = "Text/HTML; charset=utf-8"
    service.on("GET", "/scan/x/skymap.fits", b"<html>Log in</html>")
    with pytest.raises(Unreachable, match="does not speak as SkyDriver does"):
        client.file("x", "skymap.fits", {})


def test_a_manifest_is_asked_for_without_the_event(client: Client, service: Any) -> None:
    service.on("GET", "/scan/x/manifest", {"scan_id": "x"})
    assert client.manifest("x", ("scan_id", "progress")) == {"scan_id": "x"}
    assert service.requests[0].query == {
        "no_redirect": "true",
        "include_deleted": "true",
        "manifest_projection": "scan_id,progress",
    }
