"""The commands against a service that `skydriver up` runs."""

import json
from subprocess import Popen
from typing import Any

import pytest

from .conftest import EXAMPLE, wait_until

SMALL = ("--nsides", "1:0 2:12")
LARGE = ("--nsides", "8:0 64:12 512:24 1024:200")


def answer(skydriver: Any, *args: str) -> Any:
    """The JSON on stdout of a command that succeeds."""
    code, stdout, stderr = skydriver.run(*args, "--json")
    assert code == 0, stderr
    return json.loads(stdout)


@pytest.mark.usefixtures("up")
def test_a_scan_from_submission_to_deletion(skydriver: Any) -> None:
    ended = answer(skydriver, "scan", str(EXAMPLE), *SMALL, "--classifier", "who=me")
    assert ended["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert "nside 2: " in skydriver.stderr

    [manifest] = answer(skydriver, "find", "--run", "130033", "--event", "50579430")["manifests"]
    scan_id = manifest["scan_id"]
    assert manifest["classifiers"] == {"who": "me"}
    wait_until(lambda: answer(skydriver, "status", scan_id)["phase"] == "ENDED", "the tear-down")
    phases = [step["phase"] for step in answer(skydriver, "history", scan_id)["history"]]
    assert (phases[0], phases[-1]) == ("QUEUED", "ENDED")
    assert answer(skydriver, "result", scan_id, "-o", "result.json")["is_final"] is True
    assert set(json.loads((skydriver.work / "result.json").read_text())) == {"nside-1", "nside-2"}

    code, stdout, _ = skydriver.run("status", scan_id)
    assert code == 0
    assert "outcome    finished" in stdout
    assert "all gone" in stdout
    assert stdout.splitlines()[-1].startswith("It has finished, ")

    assert skydriver.run("stop", scan_id)[0] == 1
    assert answer(skydriver, "stop", scan_id, "--delete-completed")["manifest"]["is_deleted"] is True
    assert answer(skydriver, "find")["manifests"] == []
    assert len(answer(skydriver, "find", "--include-deleted", "--classifier", "who=me")["manifests"]) == 1
    assert skydriver.run("result", scan_id)[0] == 1


@pytest.mark.usefixtures("up")
def test_a_scan_stopped_in_the_middle(skydriver: Any) -> None:
    process = skydriver.start("scan", str(EXAMPLE), *LARGE)
    try:
        wait_until(lambda: "IN_PROGRESS__PARTIAL" in skydriver.stderr, "the scan's first pixels")
        other = type(skydriver)(skydriver.folder / "up")
        scan_id = skydriver.stderr.split()[1]
        # From another terminal.
        other.data.symlink_to(skydriver.data)
        assert other.run("stop", scan_id)[0] == 0
        assert process.wait(60) == 1
    finally:
        process.kill()
    assert skydriver.stdout == f"{scan_id}\n"
    assert "STOPPED__PARTIAL_RESULT_GENERATED" in skydriver.stderr.splitlines()[-1]


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nsides", "8:1"], "argument nsides"),
        (["--cluster", "nowhere=1"], "nowhere"),
        (["--predictive-scanning-threshold", "0"], "argument predictive_scanning_threshold"),
    ],
)
def test_what_the_service_refuses(skydriver: Any, arguments: list[str], reason: str) -> None:
    code, stdout, stderr = skydriver.run("scan", str(EXAMPLE), *arguments)
    assert (code, stdout) == (1, "")
    assert reason in stderr


def test_one_service_a_folder(skydriver: Any, up: Popen[str]) -> None:
    code, _, stderr = skydriver.run("up")
    assert code == 1
    assert "another service" in stderr
    assert up.poll() is None


def test_after_the_service_has_gone(skydriver: Any, up: Popen[str]) -> None:
    assert answer(skydriver, "backlog")["entries"] == []
    up.terminate()
    assert up.wait(60) == 0
    assert skydriver.run("backlog")[0] == 3
