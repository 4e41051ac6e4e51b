import json
from pathlib import Path
from typing import Any

import pytest

from skydriver.cli.client import Client


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skydriver.cli.follow.MIN_WAIT_SECONDS", 0.0)


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text('{"value": {"data": {}}}')
    return str(path)


@pytest.fixture
def ends_as(service: Any, running: Any, manifest: Any) -> Any:
    def _ends_as(last: dict[str, Any]) -> None:
        service.on("POST", "/scan", manifest)
        service.on("GET", "/scan/x/status", running, last)
        service.on("GET", "/scan/x/manifest", manifest)

    return _ends_as


def test_a_scan_is_followed_to_its_good_end(run: Any, ends_as: Any, finished: Any, event: str) -> None:
    ends_as(finished)
    answer = run("scan", event)
    assert answer.exit_code == 0
    assert answer.stdout == "x\n"
    assert "nside 8: 675/768" in answer.stderr
    assert "finished successfully" in answer.stderr


def test_a_scan_that_fails_says_why(run: Any, ends_as: Any, failed: Any, event: str) -> None:
    ends_as(failed)
    answer = run("scan", event)
    assert answer.exit_code == 1
    assert answer.stdout == "x\n"
    assert answer.stderr.splitlines()[-1] == (
        "skydriver: Scan x has not finished: STOPPED__PARTIAL_RESULT_GENERATED: all workers are gone"
    )


@pytest.mark.parametrize("how", ["finished", "failed"])
def test_json_is_all_that_is_on_stdout(
    run: Any, ends_as: Any, event: str, how: str, request: pytest.FixtureRequest
) -> None:
    last = request.getfixturevalue(how)
    ends_as(last)
    answer = run("scan", event, "--json")
    assert json.loads(answer.stdout) == last
    assert answer.exit_code == (0 if how == "finished" else 1)


def test_what_is_not_given_is_left_to_the_service(
    run: Any, ends_as: Any, finished: Any, event: str, service: Any
) -> None:
    ends_as(finished)
    run("scan", event)
    assert service.asked("POST", "/scan")[0].body == {
        "docker_tag": "latest",
        "cluster": [["local", 2]],
        "reco_algo": "millipede_wilks",
        "event_i3live_json": {"value": {"data": {}}},
        "nsides": {"8": 0, "64": 12, "512": 24},
        "real_or_simulated_event": "real",
        "max_pixel_reco_time": 1200,
    }


def test_every_argument_reaches_the_service(run: Any, service: Any, manifest: Any, event: str) -> None:
    service.on("POST", "/scan", manifest)
    arguments = (
        "--no-follow --nsides 1:0 --nsides 2:12 --cluster sub-2=56 --cluster sub-2=1234 --docker-tag v3.5"
        " --reco-algo splinempe --simulated --max-pixel-reco-time 60 --priority 0 --classifier who=me"
        " --classifier n=7 --predictive-scanning-threshold 0.65 --max-worker-runtime 3600"
        " --first-message-timeout 30 --scanner-server-memory 2G --worker-memory 4G --worker-disk 3G"
        " --scanner-server-env SKYSCAN_MINI_TEST=1 --debug-mode client-logs"
    )
    answer = run("scan", event, *arguments.split())
    assert (answer.exit_code, answer.stdout) == (0, "x\n")
    assert service.requests[0].body == {
        "docker_tag": "v3.5",
        "cluster": [["sub-2", 56], ["sub-2", 1234]],
        "reco_algo": "splinempe",
        "event_i3live_json": {"value": {"data": {}}},
        "nsides": {"1": 0, "2": 12},
        "real_or_simulated_event": "simulated",
        "max_pixel_reco_time": 60,
        "priority": 0,
        "classifiers": {"who": "me", "n": 7},
        "predictive_scanning_threshold": 0.65,
        "max_worker_runtime": 3600,
        "skyscan_mq_client_timeout_wait_for_first_message": 30,
        "scanner_server_memory": "2G",
        "worker_memory": "4G",
        "worker_disk": "3G",
        "scanner_server_env": {"SKYSCAN_MINI_TEST": "1"},
        "debug_mode": ["client-logs"],
    }
    assert len(service.requests) == 1


def test_submitting_only_as_json(run: Any, service: Any, manifest: Any, event: str) -> None:
    service.on("POST", "/scan", manifest)
    answer = run("scan", event, "--no-follow", "--json")
    assert json.loads(answer.stdout) == manifest
    assert answer.stderr == ""


def test_ctrl_c_says_that_the_scan_goes_on(
    run: Any, ends_as: Any, running: Any, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ends_as(running)
    monkeypatch.setattr("skydriver.cli.commands.scan.follow_scans", interrupt)
    answer = run("scan", event)
    assert answer.exit_code == 130
    assert "scan x goes on" in answer.stderr
    assert "skydriver stop x" in answer.stderr


@pytest.mark.parametrize(
    "arguments", [["--nsides", "8"], ["--cluster", "local"], ["--classifier", "x"], ["--priority", "high"]]
)
def test_wrong_usage_submits_nothing(run: Any, service: Any, event: str, arguments: list[str]) -> None:
    answer = run("scan", event, *arguments)
    assert answer.exit_code == 2
    assert service.requests == []


def test_an_event_file_that_is_no_json(run: Any, service: Any, tmp_path: Path) -> None:
    path = tmp_path / "event.txt"
    path.write_text("no event")
    answer = run("scan", str(path))
    assert answer.exit_code == 2
    assert service.requests == []


def test_several_events_are_followed_together(
    run: Any, service: Any, event: str, finished: Any, failed: Any, manifest: Any
) -> None:
    service.on("POST", "/scan", manifest, manifest | {"scan_id": "y"})
    for scan_id, end in (("x", finished), ("y", failed)):
        service.on("GET", f"/scan/{scan_id}/status", end)
        service.on("GET", f"/scan/{scan_id}/manifest", manifest)
    answer = run("scan", event, event)
    assert (answer.exit_code, answer.stdout) == (1, "x\ny\n")
    assert "Scan x has finished successfully." in answer.stderr
    assert "Scan y has not finished" in answer.stderr.splitlines()[-1]


def test_what_was_submitted_before_a_refusal_is_named(
    run: Any, service: Any, event: str, manifest: Any
) -> None:
    service.on("POST", "/scan", manifest, (429, {"code": 429, "error": "the backlog is full"}))
    answer = run("scan", event, event, event, "--no-follow")
    assert answer.exit_code == 1
    assert "These go on: x" in answer.stderr
    assert "the backlog is full" in answer.stderr
    assert len(service.requests) == 2


@pytest.mark.parametrize("options", [(), ("--no-follow",), ("--no-follow", "--json")])
def test_ctrl_c_while_submitting_names_what_goes_on(
    run: Any, service: Any, event: str, manifest: Any, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Client.submit

    def interrupted(client: Client, request: Any) -> Any:
        if len(service.requests) == 2:
            raise KeyboardInterrupt
        return submit(client, request)

    monkeypatch.setattr(Client, "submit", interrupted)
    service.on("POST", "/scan", manifest, manifest | {"scan_id": "y"})
    answer = run("scan", event, event, event, *options)
    assert (answer.exit_code, answer.stdout) == (130, "")
    assert "skydriver follow x y" in answer.stderr
    assert f"{event} may be submitted" in answer.stderr


def test_a_rescan_sends_only_what_is_to_be_different(
    run: Any, service: Any, manifest: Any, finished: Any
) -> None:
    service.on("POST", "/scan/old/actions/rescan", manifest)
    service.on("GET", "/scan/x/status", finished)
    service.on("GET", "/scan/x/manifest", manifest)
    answer = run("rescan", "old", "--nsides", "1:0", "--abort-first", "--replace", "--simulated")
    assert (answer.exit_code, answer.stdout) == (0, "x\n")
    assert service.requests[0].body == {
        "nsides": {"1": 0},
        "abort_first": True,
        "replace_scan": True,
        "real_or_simulated_event": "simulated",
    }
    run("rescan", "old", "--no-follow")
    assert service.requests[-1].body == {}


def test_follow_says_how_each_has_ended(
    run: Any, service: Any, manifest: Any, finished: Any, failed: Any
) -> None:
    for scan_id, ends in (("x", [finished]), ("y", [finished, failed])):
        service.on("GET", f"/scan/{scan_id}/status", *ends)
        service.on("GET", f"/scan/{scan_id}/manifest", manifest)
    answer = run("follow", "x", "y", "x", "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == {"scans": [{"scan_id": "x", **finished}, {"scan_id": "y", **failed}]}
