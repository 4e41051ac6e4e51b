from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from skydriver.settings import known_clusters, settings

Configure = Callable[..., None]
MIB = 1024 * 1024


def wrong(error: ValidationError) -> set[str]:
    return {str(part) for problem in error.errors() for part in problem["loc"]}


def test_settings_are_read_once_from_variables_of_their_names(configure: Configure) -> None:
    configure(SKYDRIVER_URL="https://skydriver.example.org", STARTS_PER_MINUTE="3", LOG_LEVEL="DEBUG")
    assert settings().skydriver_url == "https://skydriver.example.org"
    assert settings().starts_per_minute == 3
    assert settings() is settings()


def test_the_defaults_are_those_of_the_design(configure: Configure) -> None:
    configure()
    now = settings()
    assert (now.starts_per_minute, now.scans_running) == (10, 200)
    assert now.max_worker_runtime == 24 * 60 * 60
    assert now.mongodb_database.startswith("test-")
    assert now.auth_audience == "skydriver"
    assert (now.max_event_bytes, now.max_result_bytes, now.max_body_bytes) == (12 * MIB, 64 * MIB, MIB)
    # handler deadline < lease (the timeouts of Services and Triggers lie between them)
    assert now.step_deadline < now.step_lease


def test_v1s_name_of_the_default_runtime_of_workers_is_known(configure: Configure) -> None:
    configure(EWMS_MAX_WORKER_RUNTIME__DEFAULT="3600")
    assert settings().max_worker_runtime == 3600


@pytest.mark.parametrize("name", ["SKYDRIVER_URL", "K_SINK", "CLUSTERS_FILE"])
def test_a_missing_setting_is_named(configure: Configure, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    configure()
    with pytest.raises(ValidationError) as caught:
        settings()
    assert name.lower() in wrong(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STARTS_PER_MINUTE", "0"),
        ("STARTS_PER_MINUTE", "many"),
        ("SCANS_RUNNING", "-1"),
        ("SCANNER_TOKEN_KEY", "too short"),
        ("SCANNER_TOKEN_KEY", f"{'long enough ' * 4},too short"),
        ("SESSION_KEYS", f"{'long enough ' * 4},too short"),
        ("SCANNER_BACKEND", "docker"),
        ("IMAGE_TAG_SOURCE", "guess"),
        ("SKYDRIVER_NO_AUTH", "perhaps"),
        ("RETRY_DELAY", "0"),
    ],
)
def test_a_wrong_setting_is_named(configure: Configure, name: str, value: str) -> None:
    configure(**{name: value})
    with pytest.raises(ValidationError) as caught:
        settings()
    assert name.lower() in wrong(caught.value)


def test_nothing_starts_with_neither_an_issuer_nor_the_explicit_word_for_none(configure: Configure) -> None:
    configure(SKYDRIVER_NO_AUTH="false")
    with pytest.raises(ValidationError, match="AUTH_OPENID_URL"):
        settings()
    configure(AUTH_OPENID_URL="https://keycloak.example.org/auth/realms/IceCube")
    assert settings().skydriver_no_auth is False


def test_secrets_are_not_shown(configure: Configure) -> None:
    configure(
        MONGODB_URI="mongodb://user:hunter2@127.0.0.1:1/",
        SCANNER_TOKEN_KEY="hunter2 hunter2 hunter2 hunter2 hunter2",
        AWS_SECRET_ACCESS_KEY="hunter2",
        AWS_ACCESS_KEY_ID="hunter2",
    )
    assert "hunter2" not in repr(settings())
    assert "hunter2" not in str(settings().model_dump())


def test_known_clusters_come_from_their_file(configure: Configure, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("clusters: {a: {orchestrator: local, location: {host: h, namespace: n}}}")
    configure(CLUSTERS_FILE=str(path))
    assert set(known_clusters()) == {"a"}


@pytest.mark.parametrize("content", ["", "clusters:", "clusters: {a: {orchestrator: local}}", "[]"])
def test_a_wrong_file_of_clusters(configure: Configure, tmp_path: Path, content: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content)
    configure(CLUSTERS_FILE=str(path))
    with pytest.raises(ValidationError):
        known_clusters()


def test_a_missing_file_of_clusters(configure: Configure, tmp_path: Path) -> None:
    configure(CLUSTERS_FILE=str(tmp_path / "missing.yaml"))
    with pytest.raises(FileNotFoundError):
        known_clusters()
