"""`skydriver check --inside` and the image's own `python -m skydriver.check`, with everything there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skydriver.check.inside import CHECKED
from tests.support.checking import check
from tests.support.parts import BUCKET, Broker, Bucket

Configure = Callable[..., None]

COMMANDS = {
    "the command": ["skydriver.cli.main", "check", "--inside"],
    "the image's": ["skydriver.check"],
}


@pytest.fixture
def complete(
    database: None, bucket: Bucket, broker: Broker, configure: Configure, tmp_path: Path
) -> Configure:
    """Everything that settings name is there; one machine's service asks for no login."""
    (tmp_path / "condor-token-sub-2").mkdir()
    (tmp_path / "condor-token-sub-2" / "token").write_text("a token of no pool\n")
    configure(CLUSTER_SECRETS=str(tmp_path), SLACK_HOST="")
    return configure


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
async def test_all_is_well(complete: Configure, broker: Broker, words: list[str]) -> None:
    code, lines = await check(*words)
    assert lines[0] == "ok settings: complete"
    database, *others = lines[1:]
    assert database.startswith("ok MongoDB: answers, with ")
    assert others == [
        f"ok S3: bucket '{BUCKET}' is there",
        "ok Keycloak: no login is needed (SKYDRIVER_NO_AUTH): for one machine only",
        "ok dashboard: no login is needed (SKYDRIVER_NO_AUTH): for one machine only",
        "ok Broker: the Broker takes events",
        "ok message broker: its queues stay: no management API is configured (BROKER_MANAGEMENT_URL)",
        "ok Kubernetes: not used: scanner servers are processes of this machine",
        "ok Triggers: not looked at: this is no cluster",
        "ok scanner images: 5 tags of the scanner's image are known",
        "ok worker clusters: local, other, sub-2",
        "ok mail server: none: notifications cannot be sent by e-mail (SMTP_HOST is not set)",
        "ok Slack: not used (SLACK_HOST is empty)",
        "ok subscription keys: all subscriptions need the first key alone",
    ]
    assert code == 0
    # One event, which no Trigger matches.
    assert [event.type for event in broker.events] == [CHECKED]


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
async def test_what_is_wrong_is_told_and_the_rest_still_checked(
    complete: Configure, broker: Broker, words: list[str]
) -> None:
    complete(S3_BUCKET="another")
    broker.status = 404
    code, lines = await check(*words)
    assert code == 1
    assert [line for line in lines if line.startswith("FAIL")] == [
        "FAIL S3: S3 refuses bucket 'another' (404): make it, or allow it",
        "FAIL Broker: K_SINK leads to no Broker that takes events: the event broker answered 404",
    ]
    assert sum(line.startswith("ok") for line in lines) == 12
