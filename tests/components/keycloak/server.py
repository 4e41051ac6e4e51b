"""A real Keycloak with a realm like IceCube's: its users' groups, its clients and their claims."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keycloak import KeycloakAdmin, KeycloakOpenID

from tests.components import missing
from tests.components.build import folder_of
from tests.components.keycloak.process import ADMIN, PASSWORD, TEMPLATE, started
from tests.support.servers import shared_server

DEVICE_CLIENT = "skydriver-external"
SHORT_LIVED_DEVICE_CLIENT = "skydriver-short-lived"
USER, USER_PASSWORD = "ada", "a-password-of-a-test"
OUTSIDER = "eve"
"""A user who is in no group of IceCube's; the password is the same."""
DASHBOARD = "skydriver-dashboard"
SECRET = "a-client-secret-of-a-test"

Mapper = dict[str, Any]


@dataclass(frozen=True)
class Keycloak:
    """A running Keycloak.

    Attributes:
        address: its own, without a realm.
        realm: the one of its user's (`set_up` makes it): tests beside them may have others.
    """

    address: str
    realm: str = "IceCube"

    @property
    def elsewhere(self) -> str:
        """A second realm, whose tokens are good for nothing in the first one."""
        return f"{self.realm}-elsewhere"

    def url(self, realm: str | None = None) -> str:
        """A realm's address, which tokens name as their issuer."""
        return f"{self.address}/realms/{realm or self.realm}"

    def admin(self, realm: str | None = None) -> KeycloakAdmin:
        """The administration of a realm."""
        return KeycloakAdmin(
            server_url=f"{self.address}/",
            username=ADMIN,
            password=PASSWORD,
            realm_name=realm or self.realm,
            user_realm_name="master",
        )

    def client_token(self, client: str, *, realm: str | None = None) -> str:
        """Get a token by client credentials."""
        openid = KeycloakOpenID(f"{self.address}/", realm or self.realm, client, SECRET)
        return str(openid.token(grant_type="client_credentials")["access_token"])

    def user_token(self, user: str = USER, *, client: str = "password", kind: str = "access_token") -> str:
        """Get a token of a user's by their password."""
        openid = KeycloakOpenID(f"{self.address}/", self.realm, client, SECRET)
        return str(openid.token(user, USER_PASSWORD)[kind])

    def add_client(
        self, name: str, *mappers: Mapper, lifespan: int | None = None, realm: str | None = None, **more: Any
    ) -> None:
        """Make a confidential client with a service account.

        Args:
            name: its id.
            mappers: what puts claims into its tokens.
            lifespan: seconds that its access tokens are good for.
            realm: where.
            more: further fields of Keycloak's ClientRepresentation.
        """
        admin = self.admin(realm)
        attributes = {"access.token.lifespan": str(lifespan)} if lifespan else {}
        client = {
            "clientId": name,
            "secret": SECRET,
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "attributes": attributes,
            **more,
        }
        internal = admin.create_client(client)
        for mapper in mappers:
            admin.add_mapper_to_client(internal, mapper)

    def give_client_role(self, client: str, role: str, *, user: str | None = None) -> None:
        """Make a role of a client, and give it to a user, or to the client's own service account."""
        admin: Any = self.admin()
        internal = admin.get_client_id(client)
        admin.create_client_role(internal, {"name": role}, skip_exists=True)
        if user is None:
            own = admin.get_client_service_account_user(internal)["id"]
        else:
            own = admin.get_user_id(user)
        admin.assign_client_role(own, internal, [admin.get_client_role(internal, role)])

    def rotate_keys(self) -> None:
        """Let the realm sign with a new key; the former one is withdrawn."""
        admin = self.admin()
        provider = "org.keycloak.keys.KeyProvider"
        former = [c for c in admin.get_components({"type": provider}) if c["providerId"] == "rsa-generated"]
        realm_id = admin.get_realm(self.realm)["id"]
        config = {"priority": ["1000"], "algorithm": ["RS256"]}
        admin.create_component(
            {
                "name": "rotated",
                "providerId": "rsa-generated",
                "providerType": provider,
                "parentId": realm_id,
                "config": config,
            }
        )
        for key in former:
            admin.delete_component(key["id"])


def audience(name: str = "skydriver") -> Mapper:
    """Make the mapper that names an audience in access tokens."""
    return {
        "name": f"audience-{name}",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": name, "access.token.claim": "true"},
    }


def skydriver_role(role: str) -> Mapper:
    """Make the mapper that puts a claim `skydriver_role` into access tokens."""
    return _claim("oidc-hardcoded-claim-mapper", "skydriver_role", {"claim.value": role})


def groups() -> Mapper:
    """Make the mapper that lists a user's groups by their full paths in a claim `groups`."""
    return _claim("oidc-group-membership-mapper", "groups", {"full.path": "true"})


def _claim(kind: str, claim: str, config: dict[str, str]) -> Mapper:
    common = {"claim.name": claim, "jsonType.label": "String", "access.token.claim": "true"}
    return {
        "name": claim,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "config": {**common, **config},
    }


@asynccontextmanager
async def keycloak(data: Path) -> AsyncIterator[Keycloak]:
    """Run a Keycloak of one's own while the context lasts; `setup` makes its realm."""
    folder = folder_of("keycloak")
    shutil.copytree(folder / TEMPLATE, data / "h2")
    async with started(folder, data) as address:
        yield Keycloak(address)


def shared_realm(realm: str) -> Keycloak:
    """Make a realm in the Keycloak that all tests of a run share, or skip the test where it was not built."""
    if not folder_of("keycloak").is_dir():
        missing("keycloak", "it is not built")
    server: Keycloak = replace(shared_server("keycloak"), realm=realm)
    set_up(server)
    return server


def set_up(server: Keycloak) -> None:
    """Make the realm: two users, clients for them with the device flow, and one client a role."""
    master = server.admin("master")
    for realm in (server.realm, server.elsewhere):
        # Offline tokens' realm-wide idle limits do not matter within a test.
        master.create_realm({"realm": realm, "enabled": True, "sslRequired": "none"})
    admin = server.admin()
    institutions = admin.create_group({"name": "institutions"})
    admin.create_group({"name": "IceCube"}, parent=institutions)
    for user in (USER, OUTSIDER):
        _add_user(admin, user)
    member = admin.get_user_id(USER)
    assert member is not None
    admin.group_user_add(member, admin.get_group_by_path("/institutions/IceCube")["id"])
    for name, lifespan in ((DEVICE_CLIENT, "60"), (SHORT_LIVED_DEVICE_CLIENT, "1")):
        server.add_client(
            name,
            *(audience(), groups()),
            publicClient=True,
            serviceAccountsEnabled=False,
            attributes={
                "oauth2.device.authorization.grant.enabled": "true",
                "oauth2.device.polling.interval": "1",
                "access.token.lifespan": lifespan,
            },
        )
    server.add_client("password", audience(), groups(), directAccessGrantsEnabled=True)
    server.add_client(
        DASHBOARD,
        *(audience(), groups()),
        serviceAccountsEnabled=False,
        standardFlowEnabled=True,
        # A test's service has an address of its own.
        redirectUris=["*"],
        attributes={"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": "*"},
    )
    server.add_client("scanner-of-old", audience(), skydriver_role("system"))
    server.add_client(
        "realtime", audience(), groups(), skydriver_role("realtime"), directAccessGrantsEnabled=True
    )
    server.add_client("short-lived", audience(), skydriver_role("system"), lifespan=1)
    server.add_client("other-audience", audience("somebody-else"), skydriver_role("system"))
    server.add_client("no-role", audience())
    # As SkyDriver v2 has it: roles of clients.
    server.add_client("skydriver-internal", audience())
    server.give_client_role("skydriver-internal", "system")
    server.give_client_role(DEVICE_CLIENT, "users", user=OUTSIDER)
    server.add_client("rabbitmq-clients", audience("rabbitmq"))
    server.add_client("foreign", audience(), skydriver_role("system"), realm=server.elsewhere)


def _add_user(admin: KeycloakAdmin, name: str) -> None:
    admin.create_user(
        {
            "username": name,
            "email": f"{name}@example.org",
            "emailVerified": True,
            "firstName": name.title(),
            "lastName": "Test",
            "enabled": True,
            "credentials": [{"type": "password", "value": USER_PASSWORD, "temporary": False}],
        }
    )
