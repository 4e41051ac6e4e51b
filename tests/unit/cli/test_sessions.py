"""Logins as they are kept and renewed, with a realm that answers as it is told to."""

import json
import stat
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest

from skydriver.cli import sessions
from skydriver.cli.commands.login import log_in
from skydriver.cli.errors import CommandError, Unreachable
from skydriver.cli.sessions import Renewing, Session

SERVICE = "https://skydriver.test"


class Realm:
    """A realm that gives the answers of a script, one after the other."""

    def __init__(self) -> None:
        self.url = ""
        self.script: list[tuple[int, Any]] = []
        self.asked: list[dict[str, str]] = []

    def addresses(self) -> dict[str, str]:
        return {
            "token_endpoint": f"{self.url}/token",
            "device_authorization_endpoint": f"{self.url}/device",
        }


@pytest.fixture
def realm() -> Iterator[Realm]:
    one = Realm()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, one.addresses())

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            one.asked.append({name: values[0] for name, values in parse_qs(text).items()})
            self._answer(*one.script.pop(0))

        def _answer(self, code: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "skydriver" / "sessions.json"


def session(realm: Realm, *, ends_in: float = 60.0) -> Session:
    return Session(realm.url, "a client", "old-access", "old-refresh", time.time() + ends_in)


STARTED = {
    "device_code": "d",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://realm.test/device",
    "expires_in": 600,
    "interval": 1,
}
TOKENS = {"access_token": "access", "refresh_token": "refresh", "expires_in": 60}


def test_a_login_waits_until_it_is_approved_as_slowly_as_it_is_told(
    realm: Realm, capsys: pytest.CaptureFixture[str]
) -> None:
    pending, slow = (400, {"error": "authorization_pending"}), (400, {"error": "slow_down"})
    realm.script = [(200, STARTED), pending, slow, pending, (200, TOKENS)]
    waits: list[float] = []
    found = log_in(realm.url, "a client", waits.append)
    assert (found.access_token, found.refresh_token) == ("access", "refresh")
    assert waits == [1, 1, 6, 6]
    assert realm.asked[0] == {"client_id": "a client", "scope": "openid offline_access"}
    assert realm.asked[1]["device_code"] == "d"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ([(401, {"error": "unauthorized_client"})], "unauthorized_client"),
        ([(200, STARTED), (400, {"error": "access_denied"})], "access_denied"),
        ([(200, {**STARTED, "expires_in": 0})], "in time"),
    ],
)
def test_a_login_that_comes_to_nothing_says_why(
    realm: Realm, script: list[tuple[int, dict[str, Any]]], sentence: str
) -> None:
    realm.script = script
    with pytest.raises(CommandError, match=sentence):
        log_in(realm.url, "a client", lambda _: None)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {**STARTED, "device_code": 5},
        {**STARTED, "user_code": None},
        {**STARTED, "verification_uri": {}},
        {**STARTED, "interval": "soon"},
        {**STARTED, "interval": -1},
        {**STARTED, "expires_in": None},
        {**STARTED, "expires_in": 1e300},
    ],
)
def test_a_realm_that_answers_oddly(realm: Realm, answer: Any) -> None:
    realm.script = [(200, answer)]
    with pytest.raises(Unreachable, match="does not answer as a Keycloak realm"):
        log_in(realm.url, "a client", lambda _: None)


@pytest.mark.parametrize(
    "answer", [[], {}, {"access_token": 5}, {**TOKENS, "refresh_token": []}, {**TOKENS, "expires_in": "x"}]
)
def test_a_realm_that_gives_odd_tokens(realm: Realm, answer: Any) -> None:
    realm.script = [(200, STARTED), (200, answer)]
    with pytest.raises(Unreachable, match="does not answer as a Keycloak realm"):
        log_in(realm.url, "a client", lambda _: None)
    realm.script = [(200, answer)]
    with pytest.raises(Unreachable, match="does not answer as a Keycloak realm"):
        sessions.renewed(session(realm))


def test_a_realm_whose_token_cannot_be_sent(realm: Realm) -> None:
    realm.script = [(200, STARTED), (200, {**TOKENS, "access_token": "a-secret\ntoken"})]
    with pytest.raises(CommandError, match="cannot be sent") as error:
        log_in(realm.url, "a client", lambda _: None)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("address", [5, None, "", "ftp://x", "http://ada:hush@host", "http://[", "/token"])
def test_a_realm_whose_addresses_are_none(
    realm: Realm, monkeypatch: pytest.MonkeyPatch, address: object
) -> None:
    monkeypatch.setattr(realm, "addresses", lambda: {"device_authorization_endpoint": address})
    with pytest.raises(Unreachable, match="does not answer as a Keycloak realm") as error:
        log_in(realm.url, "a client", lambda _: None)
    assert "hush" not in str(error.value)


def test_a_realm_that_is_none() -> None:
    with pytest.raises(Unreachable, match="does not answer: "):
        log_in("http://127.0.0.1:1", "a client")


def test_logins_are_kept_by_service_for_the_user_only(realm: Realm, state: Path) -> None:
    assert sessions.load(SERVICE) is None
    sessions.save(SERVICE, session(realm))
    sessions.save("https://other.test", session(realm))
    assert sessions.load(SERVICE) is not None
    assert sessions.load("https://somebody.test") is None
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert [path.name for path in state.parent.iterdir()] == [state.name]
    state.write_text("not JSON")
    assert sessions.load(SERVICE) is None


def answer_with(seen: list[str]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200)

    return answer


def test_a_token_is_renewed_shortly_before_its_end_and_kept(realm: Realm) -> None:
    seen: list[str] = []
    transport = httpx.MockTransport(answer_with(seen))
    with httpx.Client(transport=transport, auth=Renewing(SERVICE, session(realm))) as client:
        client.get(SERVICE)
    assert seen == ["Bearer old-access"]
    assert realm.asked == []
    realm.script = [(200, TOKENS)]
    with httpx.Client(transport=transport, auth=Renewing(SERVICE, session(realm, ends_in=10))) as client:
        client.get(SERVICE)
        client.get(SERVICE)
    assert seen[1:] == ["Bearer access"] * 2
    assert [asked["refresh_token"] for asked in realm.asked] == ["old-refresh"]
    kept = sessions.load(SERVICE)
    assert kept is not None
    assert kept.refresh_token == "refresh"


def test_a_login_that_has_ended_says_so(realm: Realm) -> None:
    realm.script = [(400, {"error": "invalid_grant"})]
    with pytest.raises(CommandError, match="log in again"):
        sessions.renewed(session(realm))


def test_whose_a_token_is() -> None:
    token = jwt.encode({"preferred_username": "ada"}, "x" * 32, algorithm="HS256")
    assert sessions.user_of(token) == "ada"
    assert sessions.user_of("abc") is None
    assert sessions.user_of("") is None
