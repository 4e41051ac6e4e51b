"""An issuer of tokens for tests of who asks."""

from collections.abc import Callable

import pytest

from skydriver.rest import auth
from skydriver.rest import jwks as issuers
from tests.support.issuer import Keycloak, public_jwk
from tests.support.loopback import Loopback


@pytest.fixture
def keycloak(loopback: Loopback, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Keycloak:
    realm = Keycloak(loopback)
    realm.publish(public_jwk("first"))
    monkeypatch.setattr(auth, "time", realm.clock)
    monkeypatch.setattr(issuers, "time", realm.clock)
    configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=realm.url, AUTH_AUDIENCE="skydriver")
    auth._verified.cache_clear()
    issuers.jwks_cache.cache_clear()
    return realm
