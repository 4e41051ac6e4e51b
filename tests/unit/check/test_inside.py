"""What a check from within says where parts are missing: in words, and by name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skydriver.check.finding import Finding
from skydriver.check.inside import check_inside
from skydriver.runtime.per_loop import PerLoop
from tests.conftest import forget_settings

Configure = Callable[..., None]


async def look() -> dict[str, Finding]:
    found = {finding.what: finding for finding in await check_inside()}
    await PerLoop.close_all()
    return found


async def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch, configure: Configure) -> None:
    monkeypatch.delenv("K_SINK")
    monkeypatch.setenv("SCANNER_TOKEN_KEY", "short")
    forget_settings()
    found = await look()
    assert found.keys() == {"setting K_SINK", "setting SCANNER_TOKEN_KEY"}
    assert not any(finding.good for finding in found.values())
    assert "short" not in str(list(found.values())).replace("too_short", "")


async def test_a_secret_that_a_function_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    monkeypatch.delenv("MONGODB_URI")
    configure(IMAGE_TAGS="3.4.0", CALL_TIMEOUT="1")
    assert "MONGODB_URI is not set here" in (await look())["MongoDB"].words


async def test_neither_an_issuer_nor_no_auth(configure: Configure) -> None:
    configure(SKYDRIVER_NO_AUTH="false")
    found = await look()
    assert found["setting of access"].words.endswith(
        "set AUTH_OPENID_URL to a Keycloak realm, or SKYDRIVER_NO_AUTH=true"
    )


async def test_parts_that_do_not_answer_are_named(configure: Configure, tmp_path: Path) -> None:
    # Nothing listens at any of the addresses that `configure` sets.
    configure(
        SKYDRIVER_NO_AUTH="false",
        AUTH_OPENID_URL="http://127.0.0.1:1/realm",
        SCANNER_BACKEND="kubernetes",
        KUBECONFIG=str(tmp_path / "missing"),
        IMAGE_TAGS="",
        CLUSTER_SECRETS=str(tmp_path),
        CALL_TIMEOUT="1",
        MONGODB_URI="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200",
    )
    found = await look()
    good = {what for what, finding in found.items() if finding.good}
    # The message broker is asked only where its management API is configured, as is a mail server.
    assert good == {"settings", "message broker", "mail server"}
    assert found["Keycloak"].words == "nothing answers at AUTH_OPENID_URL: ConnectError"
    assert "K_SINK leads to no Broker that takes events" in found["Broker"].words
    assert "MONGODB_URI leads to no usable MongoDB" in found["MongoDB"].words
    assert "S3 does not answer at S3_ENDPOINT_URL" in found["S3"].words
    assert "there is no way into Kubernetes from here" in found["Kubernetes"].words
    assert "there is no way into Kubernetes from here" in found["Triggers"].words
    assert "knows no tag" in found["scanner images"].words
    assert "no credentials for sub-2" in found["worker clusters"].words


async def test_credentials_of_worker_clusters(
    monkeypatch: pytest.MonkeyPatch, configure: Configure, tmp_path: Path
) -> None:
    monkeypatch.delenv("MONGODB_URI")  # else each look waits for one that is not there
    # A function that goes to no cluster has no such folder; an optional Secret that is missing is an empty
    # folder.
    configure(CLUSTER_SECRETS=str(tmp_path / "none"))
    assert (await look())["worker clusters"].good
    (tmp_path / "condor-token-sub-2").mkdir()
    configure(CLUSTER_SECRETS=str(tmp_path))
    assert not (await look())["worker clusters"].good
    (tmp_path / "condor-token-sub-2" / "token").write_text("a token")
    assert (await look())["worker clusters"].good


def test_a_finding_is_one_line() -> None:
    assert str(Finding("S3", False, "bucket missing")) == "FAIL  S3: bucket missing"
