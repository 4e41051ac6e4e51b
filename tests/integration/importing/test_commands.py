"""`skydriver import`, `skydriver export` and the Job's program, as processes."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skydriver.cli.main import app
from skydriver.errors import InvalidArguments
from skydriver.importing.commands import read_ewms
from skydriver.importing.source import named_database, same_database
from skydriver.settings import settings
from skydriver.store.mongo import collection
from tests.support.former import Former, event, fill, manifest_v1, request, stored, waiting

NOT_STARTED = {"progress": None, "ewms_task": None, "event_metadata": None, "scan_metadata": None}
ROOT = Path(__file__).parents[3]


def ours(mongodb_uri: str) -> str:
    """The URI of the database under test, with its name in it."""
    head, _, options = mongodb_uri.partition("?")
    return f"{head}{settings().mongodb_database}?{options}"


def run(
    *words: str, source: str, to: str, module: str = "skydriver.cli.main", **variables: str
) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    environment |= {
        "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
        "MONGODB_URI": to,
        "SKYDRIVER_IMPORT_FROM": source,
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_from_a_rehearsal_to_the_way_back(former: Former, mongodb_uri: str, tmp_path: Path) -> None:
    ids = fill(former)
    to, report = ours(mongodb_uri), tmp_path / "report.json"
    code, said = run("import", "--dry-run", source=former.uri, to=to)
    assert code == 0, said
    assert "12 would be new here" in said
    assert await collection("scans").count_documents({}) == 0
    code, said = run("import", "--report", str(report), source=former.uri, to=to)
    assert (code, json.loads(report.read_text())["written"]) == (0, 12), said
    code, said = run("import", "--verify", "all", source=former.uri, to=to)
    assert (code, "12 answer the same" in said) == (0, True), said
    await collection("scans").update_one({"_id": ids[0]}, {"$set": {"priority": 5}})
    code, said = run("import", "--verify", "all", source=former.uri, to=to)
    assert (code, f"{ids[0]}: priority" in said) == (1, True), said
    code, said = run("export", "--out", str(tmp_path / "back"), source=former.uri, to=to)
    assert (code, len((tmp_path / "back" / "Manifests.json").read_text().splitlines())) == (0, 12), said


async def test_killed_at_any_write_and_repeated_the_end_is_the_same(former: Former, mongodb_uri: str) -> None:
    fill(former, 30)
    to = ours(mongodb_uri)
    assert run("import", source=former.uri, to=to)[0] == 0
    wanted = await stored()
    for name in wanted:
        await collection(name).delete_many({})
    for at in random.Random(19).sample(range(1, 10), 4):  # noqa: S311
        code, said = run(str(at), source=former.uri, to=to, module="tests.support.killed_import")
        assert code == -signal.SIGKILL, (at, said)
        assert await stored() != wanted
    code, said = run("import", source=former.uri, to=to)
    assert code == 0, said
    assert await stored() == wanted


async def test_as_a_job(former: Former, mongodb_uri: str) -> None:
    fill(former)
    to = ours(mongodb_uri)
    code, said = run(source=former.uri, to=to, module="skydriver.importing")
    assert (code, "12 new here" in said) == (0, True), said
    code, said = run("--verify", "3", source=former.uri, to=to, module="skydriver.importing")
    assert (code, "3 answer the same" in said) == (0, True), said


def test_what_cannot_be_meant_is_said(
    former: Former, mongodb_uri: str, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ours(mongodb_uri)
    for name in ("SKYDRIVER_URL", "SCANNER_BACKEND"):
        monkeypatch.delenv(name)
    for words, sentence in (
        (["--from", to], "this installation works on"),
        (["--from", "nonsense"], "no MongoDB URI"),
        (["--from", former.uri], "has no manifests"),
        (["--from", former.uri, "--submit-backlog"], "set SKYDRIVER_URL to the service's public address"),
        (["--from", former.uri, "--submit-backlog", "--verify", "all"], "a comparison writes nothing"),
        (["--from", former.uri, "--verify", "some"], "must be a number of scans, or 'all'"),
    ):
        result = CliRunner().invoke(app, ["import", "--to", to, *words])
        assert result.exit_code != 0
        assert sentence in " ".join(result.output.split()), result.output
    monkeypatch.setenv("SKYDRIVER_URL", "https://skydriver.test")
    result = CliRunner().invoke(app, ["import", "--to", to, "--from", former.uri, "--submit-backlog"])
    assert result.exit_code != 0
    assert "submit_backlog: SCANNER_BACKEND is not set" in " ".join(result.output.split()), result.output
    configure()


async def test_the_backlog_is_submitted_by_the_settings_of_the_installation(
    former: Former, mongodb_uri: str
) -> None:
    for name in ("a", "b"):
        former.db["Manifests"].insert_one(manifest_v1(name, **NOT_STARTED))
        former.db["ScanRequests"].insert_one(
            request(name, docker_tag="4.2.1", request_clusters=[["sub-2", 2]], max_pixel_reco_time=2000)
        )
        former.db["ScanBacklog"].insert_one(waiting(name))
    former.db["I3Events"].insert_one(event())
    words = ("--only", "a", "--submit-backlog")
    given = {
        "MONGODB_DATABASE": settings().mongodb_database,
        "SKYDRIVER_URL": "https://skydriver.test",
        "SCANNER_BACKEND": "kubernetes",
        "CLUSTERS_FILE": str(ROOT / "knative" / "base" / "clusters.yaml"),
        "SKYSCAN_BROKER_ADDRESS": "mq.example",
        "BROKER_ACKNOWLEDGEMENT_TIMEOUT": "7200",
        "IMAGE_TAG_SOURCE": "static",
        "IMAGE_TAGS": "4.2.1",
    }
    code, said = run(*words, source=former.uri, to=ours(mongodb_uri), module="skydriver.importing", **given)
    assert (code, "1 scans of the former backlog are asked for here" in said) == (0, True), said
    (new,) = await collection("scans").find({"imported": {"$exists": False}}).to_list(None)
    assert new["classifiers"]["origin_scan_id"] == "a"
    assert "skydriver.standin" not in str(new["scanner_server_args"])


def test_passwords_of_addresses_are_not_shown() -> None:
    uri = "mongodb://admin:FAKE-SECRET@127.0.0.1:1/x?serverSelectionTimeoutMS=10"
    code, said = run(
        "import", source=uri, to="mongodb://u:FAKE-SECRET@127.0.0.1:2/?serverSelectionTimeoutMS=10"
    )
    assert code == 1
    assert "does not answer" in said
    assert "FAKE-SECRET" not in said


def test_databases_are_told_apart_by_their_addresses() -> None:
    one, other = "mongodb://a:1/x", "mongodb://a:1,b:2/x"
    assert (named_database("mongodb://a:1"), named_database(one)) == (None, "x")
    assert same_database(one, "x", other, "x")
    assert not same_database(one, "x", other, "y")
    assert not same_database(one, "x", "mongodb://c:1/x", "x")


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"workflows": it}, lambda it: list(it.values())])
def test_ewms_answers_are_read_in_each_form(wrap: Any, tmp_path: Path) -> None:
    answers = {
        "WF-1": {"workflow_id": "WF-1", "deactivated": "ABORTED"},
        "WF-2": {"workflow_id": "WF-2", "deactivated": None},
    }
    file = tmp_path / "ewms.json"
    file.write_text(json.dumps(wrap(answers)))
    assert read_ewms(file) == {"WF-1": "ABORTED"}
    file.write_text("[")
    with pytest.raises(InvalidArguments, match="is no JSON"):
        read_ewms(file)
