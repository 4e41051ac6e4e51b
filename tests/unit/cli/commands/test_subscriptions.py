"""`skydriver subscribe` and `skydriver subscriptions`, and their screens as they stand in `golden/`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden" / "subscriptions"
ID = "9f0c2b7de4a14c0f8d5b6a3e1c7f2d48"
PATH = f"/subscriptions/{ID}"
ONE: dict[str, Any] = {
    "subscription_id": ID,
    "owner": "ada",
    "protocol": "HTTP",
    "sink": "https://hooks.example.org/…",
    "types": ["scan.first_result", "scan.finished"],
    "filters": {"run_id": 130033, "classifiers": {"campaign": "july"}},
    "state": "PENDING",
    "reason": "The webhook has not given its consent: its answer to OPTIONS (200) does not allow deliveries. "
    "It is asked again in 4 minutes.",
    "reason_code": "consent_refused",
    "created_at": 1718712000.0,
    "expires_at": 1726488000.0,
    "consented_at": None,
    "allowed_rate": None,
    "failing_since": 1718712000.0,
}
DELIVERY: dict[str, Any] = {
    "event_id": "x/scan.finished/1",
    "type": "org.icecube.skydriver.scan.finished.v1",
    "scan_id": "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90",
    "state": "DUE",
    "tries": 3,
    "status": 500,
    "reason": "its receiver answers 500",
    "reason_code": "sink_unreachable",
    "created_at": 1718715950.0,
    "not_before": 1718715990.0,
    "delivered_at": None,
}
OTHER = {
    **ONE,
    "subscription_id": "9f0d" * 8,
    "protocol": "EMAIL",
    "sink": "c…@example.org",
    "state": "ACTIVE",
}


def golden(name: str, text: str) -> None:
    """Compare a screen with the one in its file; GOLDEN=write writes it."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.fixture
def known(service: Any) -> Any:
    """A service with two subscriptions of the user's."""
    service.on("GET", "/subscriptions", {"subscriptions": [ONE, OTHER]})
    service.on("GET", PATH, {**ONE, "deliveries": [DELIVERY]})
    return service


def test_subscribe_prints_the_subscription_and_its_secret(run: Any, service: Any, terminal: Any) -> None:
    service.on("POST", "/subscriptions", {**ONE, "secret": "whsec_bm90IGEgc2VjcmV0"})
    terminal(80)
    answer = run(
        *("subscribe", "--http", "https://hooks.example.org/scans", "--type", "first_result"),
        *("--type", "finished", "--run", "130033", "--classifier", "campaign=july", "--days", "30"),
    )
    assert answer.exit_code == 0
    golden("subscribed", answer.stdout)
    assert answer.stderr == "Keep the secret: it is not shown again.\n"
    [asked] = service.asked("POST", "/subscriptions")
    assert asked.body == {
        "protocol": "HTTP",
        "sink": "https://hooks.example.org/scans",
        "types": ["first_result", "finished"],
        "filters": {"run_id": 130033, "classifiers": {"campaign": "july"}},
        "expires_in_days": 30,
    }


@pytest.mark.parametrize(("option", "protocol"), [("--http", "HTTP"), ("--slack", "SLACK")])
def test_subscribe_reads_a_webhook_from_standard_input(
    run: Any, service: Any, option: str, protocol: str
) -> None:
    service.on("POST", "/subscriptions", ONE)
    sink = "https://hooks.slack.com/services/T0/B0/not-in-ps"
    answer = run("subscribe", option, "-", stdin=f"{sink}\n")
    assert answer.exit_code == 0
    [asked] = service.asked("POST", "/subscriptions")
    assert (asked.body["protocol"], asked.body["sink"]) == (protocol, sink)
    # A service, or a proxy before it, may repeat what it was sent.
    service.on("POST", "/subscriptions", (400, {"code": 400, "error": f"no such host: {sink}"}))
    refused = run("subscribe", option, "-", stdin=sink)
    assert refused.exit_code == 1
    assert "no such host" in refused.stderr
    assert "not-in-ps" not in refused.output


def test_subscribe_repeats_a_call_whose_answer_was_lost(run: Any, service: Any) -> None:
    busy = (503, {"code": 503, "error": "the database does not answer; try again"})
    service.on("POST", "/subscriptions", busy, ONE)
    assert run("subscribe", "--email", "carl@example.org").exit_code == 0
    assert len(service.asked("POST", "/subscriptions")) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--http", "https://x.example", "--slack", "https://y.example"],
        ["--email", "a@b.c", "--days", "91"],
        ["--http", "-"],
    ],
)
def test_wrong_usage_sends_nothing(run: Any, service: Any, arguments: list[str]) -> None:
    assert run("subscribe", *arguments).exit_code == 2
    assert service.requests == []


def test_list(run: Any, known: Any) -> None:
    piped = run("subscriptions", "list")
    assert [line.split("\t")[0] for line in piped.stdout.splitlines()] == [ID, "9f0d" * 8]
    assert piped.stderr == "2 subscriptions\n"
    assert json.loads(run("subscriptions", "list", "--json").stdout) == {"subscriptions": [ONE, OTHER]}
    run("subscriptions", "list", "--all")
    assert known.requests[-1].query == {"all": "true"}


def test_list_at_a_terminal(run: Any, known: Any, terminal: Any) -> None:
    terminal(80)
    golden("subscriptions", run("subscriptions", "list").stdout)


def test_show(run: Any, known: Any, terminal: Any) -> None:
    assert json.loads(run("subscriptions", "show", ID, "--json").stdout) == {**ONE, "deliveries": [DELIVERY]}
    terminal(80)
    golden("subscription", run("subscriptions", "show", "9f0c").stdout)


def test_an_ambiguous_beginning_of_an_id_is_wrong_usage(run: Any, known: Any) -> None:
    known.on("GET", "/subscriptions", {"subscriptions": [ONE, {**ONE, "subscription_id": ID[:-1] + "0"}]})
    answer = run("subscriptions", "remove", "9f0c")
    assert answer.exit_code == 2
    assert "several subscriptions" in answer.stderr
    assert known.asked("DELETE", PATH) == []


def test_remove_renew_activate_and_rotate(run: Any, known: Any) -> None:
    known.on("DELETE", PATH, {})
    assert f"{ID} is removed" in run("subscriptions", "remove", "9f0c").stderr
    known.on("PATCH", PATH, ONE)
    assert "expires" in run("subscriptions", "renew", ID, "--days", "3").stdout
    assert run("subscriptions", "activate", ID, "--json").stdout.startswith("{")
    assert [one.body for one in known.asked("PATCH", PATH)] == [{"expires_in_days": 3}, {"state": "ACTIVE"}]
    known.on("POST", f"{PATH}/rotate", {**ONE, "secret": "whsec_bmV3"})
    assert "whsec_bmV3" in run("subscriptions", "rotate", ID).stdout


def test_the_command_test_prints_the_receivers_answer(run: Any, known: Any) -> None:
    known.on("POST", f"{PATH}/test", {"event_id": "x", "is_delivered": True, "status": 202, "reason": None})
    assert run("subscriptions", "test", ID).stderr == "The receiver accepted the test (202).\n"
    refused = {"event_id": "x", "is_delivered": False, "status": 500, "reason": "its receiver answers 500"}
    known.on("POST", f"{PATH}/test", refused)
    answer = run("subscriptions", "test", ID)
    assert answer.exit_code == 1
    assert "its receiver answers 500" in answer.stderr
    answer = run("subscriptions", "test", ID, "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, refused)
