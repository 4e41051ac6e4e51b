"""Who asks: what a good token says of its owner."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from skydriver.errors import Forbidden
from skydriver.rest import jwks as issuers
from skydriver.rest.auth import Caller, Role, authenticate, caller_of, may_send_alerts
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.scanner.tokens import ScannerToken, make_scanner_token
from tests.support.issuer import Keycloak, public_jwk, refusal, who
from tests.support.serving import client_of


async def test_a_valid_token_says_who_asks_and_what_they_are(keycloak: Keycloak) -> None:
    assert await who(f"Bearer {keycloak.token()}") == Caller("ada", frozenset({Role.USER}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_in_any_case(keycloak: Keycloak, scheme: str) -> None:
    assert (await who(f"{scheme} {keycloak.token()}")).name == "ada"


async def test_a_token_signed_with_an_elliptic_curve(keycloak: Keycloak) -> None:
    keycloak.publish(public_jwk("first"), public_jwk("ec"))
    assert (await who(f"Bearer {keycloak.token('ec')}")).name == "ada"


@pytest.mark.parametrize("audience", ["skydriver", ["skydriver"], ["account", "skydriver"]])
async def test_audiences_that_are_ours(keycloak: Keycloak, audience: Any) -> None:
    assert (await who(f"Bearer {keycloak.token(aud=audience)}")).name == "ada"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({}, "ada"),
        ({"preferred_username": None, "client_id": "a-client", "sub": "x"}, "a-client"),
        ({"preferred_username": None, "azp": "a-party", "sub": "x"}, "a-party"),
        ({"preferred_username": None, "sub": "x"}, "x"),
        ({"preferred_username": None}, None),
    ],
)
async def test_the_name_of_who_asks(keycloak: Keycloak, claims: dict[str, Any], name: str | None) -> None:
    assert (await who(f"Bearer {keycloak.token(**claims)}")).name == name


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"groups": ["/institutions/IceCube"]}, {Role.USER}),
        ({"groups": ["/other", "/institutions/IceCube/UW-Madison"]}, {Role.USER}),
        ({"groups": ["/institutions/IceCubeEvil"]}, set()),
        ({"groups": ["/institutions/IceCube-Gen2/UW"]}, set()),
        ({"groups": ["/institutions/IceCube\n"]}, set()),
        ({"groups": ["/institutions/IceTop"]}, set()),
        ({"groups": ["/x/institutions/IceCube"]}, set()),
        ({"groups": ["institutions/IceCube"]}, set()),
        ({"groups": [7, None, {}]}, set()),
        ({"groups": []}, set()),
        ({"groups": None}, set()),
        ({"groups": None, "skydriver_role": "system"}, {Role.SYSTEM}),
        ({"groups": None, "skydriver_role": ["system"]}, {Role.SYSTEM}),
        ({"groups": None, "skydriver_role": "realtime"}, {Role.REALTIME}),
        ({"groups": None, "skydriver_role": "System"}, set()),
        ({"groups": None, "skydriver_role": True}, set()),
        # no claim makes a scanner
        ({"groups": None, "skydriver_role": "scanner"}, set()),
        ({"groups": None, "skydriver_role": ["user", "scanner"]}, set()),
        ({"skydriver_role": "system"}, {Role.USER, Role.SYSTEM}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
async def test_roles(keycloak: Keycloak, claims: dict[str, Any], roles: set[Role]) -> None:
    assert (await who(f"Bearer {keycloak.token(**claims)}")).roles == roles


EXTERNAL = {"resource_access": {"skydriver-external": {"roles": ["users", "other"]}}}
INTERNAL = {"resource_access": {"skydriver-internal": {"roles": ["system"]}}}


@pytest.mark.parametrize(
    ("setting", "claims", "roles"),
    [
        ("v2", EXTERNAL, {Role.USER}),
        ("v2", INTERNAL, {Role.SYSTEM}),
        ("v2", {"resource_access": {"skydriver-external": {"roles": ["realtime"]}}}, {Role.REALTIME}),
        ("v2", {"resource_access": {"skydriver-external": {"roles": ["system"]}}}, set()),
        ("v2", {"resource_access": {"skydriver-external": None}}, set()),
        ("v2", {"resource_access": ["skydriver-external"]}, set()),
        # The claims of v1 that all of these tokens have count where that is said only.
        ("v2", {"skydriver_role": "system"}, set()),
        ("v1", EXTERNAL | INTERNAL, {Role.USER}),
        ("v1,v2", INTERNAL, {Role.USER, Role.SYSTEM}),
        ("v1, v2", {**EXTERNAL, "groups": None}, {Role.USER}),
        ("v2,realtime:alerts.may=send", {**EXTERNAL, "alerts": {"may": "send"}}, {Role.USER, Role.REALTIME}),
        ("v2,realtime:alerts.may=s.nd", {**EXTERNAL, "alerts": {"may": "send"}}, {Role.USER}),
    ],
)
async def test_which_claims_give_roles_is_a_setting(
    keycloak: Keycloak, configure: Callable[..., None], setting: str, claims: dict[str, Any], roles: set[Role]
) -> None:
    configure(AUTH_CLAIMS=setting)
    assert (await who(f"Bearer {keycloak.token(**claims)}")).roles == roles


async def test_in_a_change_over_tokens_are_taken_for_either_audience(
    keycloak: Keycloak, configure: Callable[..., None]
) -> None:
    configure(AUTH_AUDIENCE="skydriver,skydriver-external")
    for audience in ("skydriver", ["account", "skydriver-external"]):
        assert (await who(f"Bearer {keycloak.token(aud=audience)}")).roles == {Role.USER}
    with pytest.raises(Forbidden):
        await who(f"Bearer {keycloak.token(aud='skydriver-internal')}")


# --- scanners, one machine, alerts ---------------------------------------------------------------------


async def test_a_scanner_is_known_by_its_own_token_without_asking_the_issuer(keycloak: Keycloak) -> None:
    caller = await who(f"Bearer {make_scanner_token('5d2e', 2, lifetime=60)}")
    assert caller == Caller("scanner of 5d2e", frozenset({Role.SCANNER}), ScannerToken("5d2e", 2))
    assert keycloak.server.asked == []


async def test_an_expired_token_of_a_scanner(keycloak: Keycloak) -> None:
    await refusal(make_scanner_token("5d2e", 1, lifetime=-61))


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic x"])
async def test_on_one_machine_anybody_may(configure: Callable[..., None], header: str | None) -> None:
    configure(SKYDRIVER_NO_AUTH="true")
    caller = await who(header)
    assert caller.name is None
    assert caller.roles == {Role.USER, Role.SYSTEM, Role.REALTIME}


@pytest.mark.parametrize(
    ("method", "headers", "may"),
    [
        ("POST", {}, True),
        ("POST", {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8080"}, True),
        ("POST", {"sec-fetch-site": "none"}, True),
        ("POST", {"sec-fetch-site": "cross-site"}, False),
        # Another server of this machine.
        ("DELETE", {"sec-fetch-site": "same-site"}, False),
        # A name that leads here (DNS rebinding), and an old browser.
        ("POST", {"sec-fetch-site": "same-origin", "origin": "http://evil.example:8080"}, False),
        ("POST", {"origin": "null"}, False),
        # A link from elsewhere: its page cannot read the answer.
        ("GET", {"sec-fetch-site": "cross-site"}, True),
    ],
)
async def test_on_one_machine_pages_of_other_sites_change_nothing(
    configure: Callable[..., None], method: str, headers: dict[str, str], may: bool
) -> None:
    configure(SKYDRIVER_NO_AUTH="true", SKYDRIVER_URL="http://127.0.0.1:8080")
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": method, "headers": raw})
    if may:
        assert Role.USER in (await authenticate(request)).roles
    else:
        with pytest.raises(Forbidden):
            await authenticate(request)


async def test_on_one_machine_a_scanners_token_is_still_good_for_its_own_scan_only(
    configure: Callable[..., None],
) -> None:
    configure(SKYDRIVER_NO_AUTH="true")
    caller = await who(f"Bearer {make_scanner_token('5d2e', 1, lifetime=60)}")
    assert caller.roles == {Role.SCANNER}


@pytest.mark.parametrize(
    ("roles", "needed", "may"),
    [
        ({Role.USER}, "true", False),
        ({Role.USER, Role.REALTIME}, "true", True),
        ({Role.SYSTEM}, "true", True),
        ({Role.SCANNER}, "true", False),
        ({Role.USER}, "false", True),
    ],
)
def test_who_may_send_alerts(
    configure: Callable[..., None], roles: set[Role], needed: str, may: bool
) -> None:
    configure(ALERTS_NEED_ROLE=needed)
    assert may_send_alerts(Caller("ada", frozenset(roles))) is may


# --- through a route -----------------------------------------------------------------------------------


async def test_what_a_client_is_answered(keycloak: Keycloak) -> None:
    @endpoint("GET /scan/{scan_id}", roles=(Role.USER,))
    async def get_it(call: RequestContext[Any]) -> dict[str, Any]:
        return {"caller": call.caller.name}

    async def get(token: str | None) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with client_of(get_it) as client:
            answer = await client.get("/scan/5d2e", headers=headers)
        challenges.append(answer.headers.get("www-authenticate"))
        return answer.status_code, answer.json()

    challenges: list[str | None] = []

    assert await get(keycloak.token()) == (200, {"caller": "ada"})
    # v1 answered 403, never 401
    status, body = await get(None)
    assert (status, body["code"], body["error"].partition(":")[0]) == (403, 403, "authentication failed")
    status, body = await get(keycloak.token(exp=1))
    assert (status, body["error"].partition(":")[0]) == (403, "authentication failed")
    status, body = await get(keycloak.token(groups=None))
    assert (status, body["error"]) == (403, "authorization failed: this needs the role user")
    # Programs see by it whether a login is of use.
    assert challenges == [None, "Bearer", "Bearer", None]
    keycloak.goes_down()
    status, body = await get(keycloak.token("another"))
    assert (status, body["code"]) == (403, 403)  # it has been asked a moment ago
    keycloak.clock.ahead += issuers.REFETCH + 1
    status, body = await get(keycloak.token("another"))
    assert (status, body["code"]) == (503, 503)


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "ada@icecube.wisc.edu", "email_verified": True}, "ada@icecube.wisc.edu"),
        ({"email": "ada@icecube.wisc.edu", "email_verified": False}, None),
        ({"email": "ada@icecube.wisc.edu", "email_verified": "true"}, None),
        ({"email": "ada@icecube.wisc.edu"}, None),
        ({"email": ["ada@icecube.wisc.edu"], "email_verified": True}, None),
        ({"email_verified": True}, None),
    ],
)
def test_an_address_counts_only_where_the_issuer_has_verified_it(
    configure: Any, claims: dict[str, Any], email: str | None
) -> None:
    assert caller_of(claims).email == email
