"""Who may, with a real Keycloak in front: the users' own libraries log in, and bad tokens are refused."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import psutil
import pytest
import pytest_asyncio

from skydriver.check.dashboard import check_dashboard
from skydriver.check.finding import Missing
from tests.components import need
from tests.conftest import ROOT, eventually
from tests.support.servers import WORKER
from tests.system.conftest import SLOW, Skydriver, running, scan_arguments

with need("keycloak"):
    from rest_tools.client import ClientCredentialsAuth, SavedDeviceGrantAuth, device_client

    from tests.components.keycloak import pages
    from tests.components.keycloak.server import (
        DASHBOARD,
        DEVICE_CLIENT,
        OUTSIDER,
        SECRET,
        SHORT_LIVED_DEVICE_CLIENT,
        USER,
        Keycloak,
        shared_realm,
    )


@pytest.fixture(scope="module")
def server() -> Keycloak:
    """The Keycloak that all tests of a run share, with a realm of this worker's like IceCube's."""
    return shared_realm(f"IceCube-{WORKER}")


@pytest_asyncio.fixture
async def guarded(server: Keycloak, tmp_path: Path) -> AsyncIterator[Skydriver]:
    """A service that asks who calls."""
    settings = {
        "SKYDRIVER_NO_AUTH": "false",
        "AUTH_OPENID_URL": server.url(),
        "AUTH_KEYS_MAX_AGE": "1",
        "KEYCLOAK_OIDC_URL": server.url(),
        "KEYCLOAK_OIDC_CLIENT_ID_BROKER": "rabbitmq-clients",
        "KEYCLOAK_OIDC_CLIENT_SECRET_BROKER": SECRET,
    }
    async with running(tmp_path / "data", **settings) as service:
        yield service


async def ask(
    service: Skydriver, token: str | None, method: str = "GET", path: str = "/", **arguments: Any
) -> httpx.Response:
    """Call with a token."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    if method == "GET":
        return await service.http.get(path, params=arguments, headers=headers)
    return await service.http.request(method, path, json=arguments, headers=headers)


def refused(answer: httpx.Response, sentence: str) -> None:
    """Expect v1's answer to those who may not: 403, in JSON, with a sentence."""
    assert answer.status_code == 403, answer.text
    body = answer.json()
    assert body["code"] == 403
    assert sentence in body["error"]


def segments(token: str) -> list[str]:
    return token.split(".")


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture
def approvals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A user who approves every code that the users' library shows; what they read then."""
    read: list[str] = []

    def approve(answer: dict[str, str]) -> None:
        # The library shows a QR code here, and waits; the user approves it in a browser meanwhile.
        def browser() -> None:
            read.append(pages.approve_device(answer["verification_uri_complete"]))

        threading.Thread(target=browser).start()

    monkeypatch.setattr(device_client, "_print_qrcode", approve)
    return read


async def test_a_user_logs_in_by_a_code_once_and_comes_back_without_one(
    guarded: Skydriver, server: Keycloak, tmp_path: Path, approvals: list[str]
) -> None:
    kept = tmp_path / "device-refresh-token"

    def log_in_and_scan() -> tuple[dict[str, Any], dict[str, Any]]:
        def client() -> Any:
            return SavedDeviceGrantAuth(
                guarded.service.url,
                token_url=server.url(),
                filename=str(kept),
                client_id=DEVICE_CLIENT,
                retries=0,
            )

        manifest = client().request_seq("POST", "/scan", scan_arguments(**SLOW))
        status = client().request_seq("GET", f"/scan/{manifest['scan_id']}/status")
        return manifest, status

    manifest, status = await asyncio.to_thread(log_in_and_scan)
    assert manifest["submitted_by"] == USER
    assert status["scan_state"].startswith(("PENDING", "IN_PROGRESS"))
    assert len(approvals) == 1, "the second client had to ask again"
    assert "successful" in approvals[0].lower()
    found = await ask(guarded, server.user_token(), "POST", "/scans/find", filter={"submitted_by": USER})
    assert [scan["scan_id"] for scan in found.json()["manifests"]] == [manifest["scan_id"]]


async def test_a_users_token_that_ends_while_the_client_lives_is_renewed(
    guarded: Skydriver, server: Keycloak, tmp_path: Path, approvals: list[str]
) -> None:
    kept = tmp_path / "device-refresh-token"
    client = await asyncio.to_thread(
        SavedDeviceGrantAuth,
        guarded.service.url,
        token_url=server.url(),
        filename=str(kept),
        client_id=SHORT_LIVED_DEVICE_CLIENT,
        retries=0,
    )
    assert await asyncio.to_thread(client.request_seq, "GET", "/") == {}
    first, refresh = str(client.access_token), kept.read_text()

    async def ended() -> Any:
        answer = await ask(guarded, first)
        return answer if answer.status_code != 200 else None

    refused(await eventually(ended, what="the token's end"), "expired")
    assert await asyncio.to_thread(client.request_seq, "GET", "/") == {}
    assert client.access_token != first
    assert kept.read_text() != refresh
    assert len(approvals) == 1, "the user had to be asked again"


async def test_the_scanners_of_today_report_by_client_credentials(
    guarded: Skydriver, server: Keycloak
) -> None:
    scan = (await ask(guarded, server.user_token(), "POST", "/scan", **scan_arguments(**SLOW))).json()
    path = f"/scan/{scan['scan_id']}"

    def report() -> tuple[Any, Any]:
        client = ClientCredentialsAuth(
            guarded.service.url,
            token_url=server.url(),
            client_id="scanner-of-old",
            client_secret=SECRET,
            retries=0,
        )
        patched = client.request_seq("PATCH", f"{path}/manifest", {"progress": {}})
        return patched, client.request_seq("GET", f"{path}/manifest")

    patched, manifest = await asyncio.to_thread(report)
    assert patched["scan_id"] == scan["scan_id"]
    assert manifest["event_i3live_json_dict"] == scan_arguments()["event_i3live_json"]
    system = server.client_token("scanner-of-old")
    refused(await ask(guarded, system, "POST", "/scan", **scan_arguments()), "role user")
    refused(await ask(guarded, system, "DELETE", path), "role user")
    refused(await ask(guarded, server.user_token(), "PATCH", f"{path}/manifest", progress={}), "role system")


async def test_tokens_end_and_are_renewed(guarded: Skydriver, server: Keycloak) -> None:
    token = server.client_token("short-lived")
    assert (await ask(guarded, token)).status_code == 200

    async def ended() -> Any:
        answer = await ask(guarded, token)
        return answer if answer.status_code != 200 else None

    refused(await eventually(ended, what="the token's end"), "expired")

    client = await asyncio.to_thread(
        ClientCredentialsAuth,
        guarded.service.url,
        token_url=server.url(),
        client_id="short-lived",
        client_secret=SECRET,
        retries=0,
    )
    # The library fetches a token when it needs one; the former one is of no use any longer.
    assert await asyncio.to_thread(client.request_seq, "GET", "/") == {}


async def test_keys_are_rotated(guarded: Skydriver, server: Keycloak) -> None:
    before = server.user_token()
    assert (await ask(guarded, before)).status_code == 200
    await asyncio.to_thread(server.rotate_keys)
    after = server.user_token()
    assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]

    async def known() -> bool:
        return (await ask(guarded, after)).status_code == 200

    await eventually(known, what="the new key to be picked up")

    async def withdrawn() -> Any:
        answer = await ask(guarded, before)
        return answer if answer.status_code != 200 else None

    refused(await eventually(withdrawn, what="the former key to be forgotten"), "key of the issuer")


async def test_bad_tokens_are_refused(guarded: Skydriver, server: Keycloak) -> None:
    good = server.user_token()
    assert (await ask(guarded, good)).status_code == 200
    head, body, signature = segments(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    key_id = jwt.get_unverified_header(good)["kid"]
    certificates = f"{server.url()}/protocol/openid-connect/certs"
    keys = httpx.get(certificates, trust_env=False, timeout=60.0).json()["keys"]
    public = next(key for key in keys if key["kid"] == key_id)
    pem = f"-----BEGIN CERTIFICATE-----\n{public['x5c'][0]}\n-----END CERTIFICATE-----\n"

    def signed_by_hmac(secret: bytes) -> str:
        text = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': key_id})}.{body}"
        digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    forged = encoded({**claims, "groups": ["/institutions/IceCube"], "skydriver_role": "system"})
    bad = {
        "none at all": None,
        "no token": "abc",
        "three dots": "a.b.c",
        "unsigned": f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "unsigned, with a key's name": f"{encoded({'alg': 'None', 'typ': 'JWT', 'kid': key_id})}.{body}.",
        "public key as HMAC secret": signed_by_hmac(pem.encode()),
        "public modulus as HMAC secret": signed_by_hmac(public["n"].encode()),
        "other claims": f"{head}.{forged}.{signature}",
        "signature cut": f"{head}.{body}.{signature[:-8]}",
        "another realm": server.client_token("foreign", realm=server.elsewhere),
        "another audience": server.client_token("other-audience"),
        "a refresh token": server.user_token(kind="refresh_token"),
    }
    for name, token in bad.items():
        answer = await ask(guarded, token)
        assert answer.status_code == 403, name
        refused(answer, "authentication failed")
    for kind in ("Basic", "Token", "bearer2"):
        refused(
            await guarded.http.get("/", headers={"Authorization": f"{kind} {good}"}), "authentication failed"
        )
    assert (await guarded.http.get("/", headers={"Authorization": f"bearer {good}"})).status_code == 200


async def test_roles(guarded: Skydriver, server: Keycloak) -> None:
    user, outsider = server.user_token(), server.user_token(OUTSIDER)
    for token in (outsider, server.client_token("no-role")):
        refused(await ask(guarded, token), "authorization failed")
        refused(await ask(guarded, token, "POST", "/scans/find", filter={}), "role user")
    alert = scan_arguments(priority=100)
    refused(await ask(guarded, user, "POST", "/scan", **alert), "priority")
    assert (await ask(guarded, user, "POST", "/scan", **scan_arguments(priority=99))).status_code == 200
    realtime = server.user_token(client="realtime")
    submitted = await ask(guarded, realtime, "POST", "/scan", **alert)
    assert submitted.status_code == 200, submitted.text
    scan_id = submitted.json()["scan_id"]
    # What was an alert once cannot be repeated as one by everybody.
    refused(await ask(guarded, user, "POST", f"/scan/{scan_id}/actions/rescan"), "priority")
    found = await ask(guarded, user, "POST", "/scans/find", filter={"priority": {"$gte": 100}})
    assert [scan["scan_id"] for scan in found.json()["manifests"]] == [scan_id]


async def test_a_scanners_own_token_is_good_for_its_own_scan_only(
    guarded: Skydriver, server: Keycloak
) -> None:
    user = server.user_token()
    own, other = [
        (await ask(guarded, user, "POST", "/scan", **scan_arguments(**SLOW))).json()["scan_id"] for _ in "ab"
    ]
    environment = await eventually(lambda: _scanner_environment(own), what="the scanner", deadline=60.0)
    token = environment["SKYSCAN_SKYDRIVER_AUTH"]
    for method, path, arguments in (
        ("GET", "manifest", {}),
        ("GET", "status", {}),
        ("PATCH", "manifest", {"scan_metadata": {}}),
        ("PUT", "result", {"skyscan_result": {}, "is_final": False}),
    ):
        assert (await ask(guarded, token, method, f"/scan/{own}/{path}", **arguments)).status_code == 200
        refused(await ask(guarded, token, method, f"/scan/{other}/{path}", **arguments), "its own scan")
    for method, path in (
        ("GET", "/"),
        ("GET", f"/scan/{own}"),
        ("GET", f"/scan/{own}/result"),
        ("GET", f"/scan/{own}/logs"),
        ("DELETE", f"/scan/{own}"),
        ("POST", "/scans/find"),
        ("POST", f"/scan/{own}/actions/rescan"),
        ("GET", "/scans/backlog"),
    ):
        refused(await ask(guarded, token, method, path), "authorization failed")

    broker = environment["SKYSCAN_BROKER_AUTH"]
    assert "rabbitmq" in jwt.decode(broker, options={"verify_signature": False})["aud"]
    manifest = (await ask(guarded, user, "GET", f"/scan/{own}/manifest")).text
    assert broker not in manifest
    assert token not in manifest
    names = {"name": "SKYSCAN_BROKER_AUTH", "value": "***", "value_from": None}
    shown = json.loads(manifest)["ewms_task"]["env_vars"]
    assert names in shown["scanner_server"]
    assert names in shown["tms_starters"][0]


async def test_the_command_logs_in_and_goes_on_as_that_user(
    guarded: Skydriver, server: Keycloak, tmp_path: Path
) -> None:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "shared"), str(ROOT)]),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "SKYDRIVER_URL": guarded.service.url,
        "SKYDRIVER_ISSUER": server.url(),
        "COLUMNS": "200",
    }

    async def skydriver(*arguments: str, code: int = 0, approve: bool = False) -> tuple[str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skydriver.cli.main", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        said = b""
        if approve:
            said = await process.stderr.readline()
            await asyncio.to_thread(pages.approve_device, said.decode().split()[1])
        out, err = await process.communicate()
        assert process.returncode == code, err.decode()
        return out.decode(), (said + err).decode()

    assert "skydriver login" in (await skydriver("backlog", code=1))[1]
    assert "skydriver login" in (await skydriver("find", "--mine", code=1))[1]
    assert f"as {USER}." in (await skydriver("login", approve=True))[1]
    kept = tmp_path / "state" / "skydriver" / "sessions.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700

    event = str(ROOT / "examples" / "IC170922A.json")
    options = ("--cluster", "local=1", "--nsides", "1:0", "--no-follow")
    scan_id = (await skydriver("scan", event, *options))[0].strip()
    other = await ask(guarded, server.user_token(client="realtime"), "POST", "/scan", **scan_arguments())
    assert other.status_code == 200
    mine = json.loads((await skydriver("find", "--mine", "--json"))[0])["manifests"]
    assert scan_id in {found["scan_id"] for found in mine}
    assert {found["submitted_by"] for found in mine} == {USER}
    await skydriver("status", scan_id)

    async def has_result() -> bool:
        answer = await ask(guarded, server.user_token(), path=f"/scan/{scan_id}/status")
        return bool(answer.json()["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY")

    await eventually(has_result, what="the scan's end", deadline=60.0)
    result = tmp_path / "result.json"
    await skydriver("result", scan_id, "-o", str(result))
    assert set(json.loads(result.read_text())) == {"nside-1"}
    history = json.loads((await skydriver("history", scan_id, "--json"))[0])["history"]
    assert "RUNNING" in [step["phase"] for step in history]
    await skydriver("stop", scan_id, "--delete-completed")
    mine = json.loads((await skydriver("find", "--mine", "--json"))[0])["manifests"]
    assert scan_id not in {found["scan_id"] for found in mine}

    # An access token that has ended is renewed, and what is kept is the new one.
    sessions = json.loads(kept.read_text())
    before = sessions[guarded.service.url]
    kept.write_text(json.dumps({guarded.service.url: {**before, "ends_at": 0.0}}))
    await skydriver("status", scan_id)
    after = json.loads(kept.read_text())[guarded.service.url]
    assert after["access_token"] != before["access_token"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    # It goes to the service that it is for, and to no other.
    environment["SKYDRIVER_URL"] = guarded.service.url.replace("127.0.0.1", "localhost")
    assert "skydriver login" in (await skydriver("backlog", code=1))[1]


def _scanner_environment(scan_id: str) -> dict[str, str] | None:
    """Read the environment of a scan's server, as an operator on its machine could."""
    for process in psutil.process_iter():
        try:
            found = process.environ()
        except psutil.Error:
            continue
        if found.get("SKYSCAN_SKYDRIVER_SCAN_ID") == scan_id and "SKYSCAN_SKYDRIVER_AUTH" in found:
            return found
    return None


@pytest.mark.parametrize(
    ("claims", "taken"),
    [("v1", {"v1"}), ("v2", {"v2"}), ("v1,v2", {"v1", "v2"})],
)
async def test_users_and_the_system_are_told_by_the_claims_of_either_version(
    server: Keycloak, tmp_path: Path, claims: str, taken: set[str]
) -> None:
    users = {"v1": server.user_token(USER), "v2": server.user_token(OUTSIDER)}
    systems = {
        "v1": server.client_token("scanner-of-old"),
        "v2": server.client_token("skydriver-internal"),
    }
    settings = {"SKYDRIVER_NO_AUTH": "false", "AUTH_OPENID_URL": server.url(), "AUTH_CLAIMS": claims}
    async with running(tmp_path / "data", **settings) as service:
        for version in ("v1", "v2"):
            # Users may read the backlog, the system may not; both may ask whether the service is there.
            statuses = [
                (await ask(service, users[version], path="/scans/backlog")).status_code,
                (await ask(service, systems[version], path="/")).status_code,
            ]
            assert statuses == ([200, 200] if version in taken else [403, 403]), version
            assert (await ask(service, systems[version], path="/scans/backlog")).status_code == 403


async def test_the_check_tries_the_dashboards_client_and_keys(
    server: Keycloak, configure: Callable[..., None]
) -> None:
    configure(
        SKYDRIVER_NO_AUTH="false",
        AUTH_OPENID_URL=server.url(),
        DASHBOARD_CLIENT_ID=DASHBOARD,
        DASHBOARD_CLIENT_SECRET=SECRET,
    )
    assert await check_dashboard() == "SESSION_KEYS: 1 good; Keycloak knows its client, and leads back here"
    configure(DASHBOARD_CLIENT_SECRET="another")
    with pytest.raises(Missing, match=r"Keycloak refuses the client .* compare DASHBOARD_CLIENT_SECRET"):
        await check_dashboard()
    server.add_client("narrow", standardFlowEnabled=True, redirectUris=["https://elsewhere.example/*"])
    configure(DASHBOARD_CLIENT_ID="narrow", DASHBOARD_CLIENT_SECRET=SECRET)
    with pytest.raises(Missing, match="does not lead users of the client 'narrow' back to http://sky"):
        await check_dashboard()
