import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("up", "demo", "scan", "status", "result", "plot", "stop", "find", "backlog", "history")
HEAVY = (
    "healpy",
    "numpy",
    "matplotlib",
    "skyreader",
    "pandas",
    "pymongo",
    "motor",
    "moto",
    "pydantic",
    "starlette",
    "cryptography",
    "yaml",
    "skydriver.local",
)


def test_version(run: Any) -> None:
    answer = run("--version")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("skydriver")


def test_help_names_every_command(run: Any) -> None:
    answer = run("--help")
    assert answer.exit_code == 0
    assert all(f" {command} " in answer.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Any, command: str) -> None:
    assert run(command, "--help").exit_code == 0


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_nothing_heavy_is_imported_to_answer_at_once(option: str) -> None:
    code = (
        "import sys\nfrom skydriver.cli.main import app\n"
        f"try: app(['{option}'])\nexcept SystemExit: pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["status"],
        ["--url", "127.0.0.1:80", "backlog"],
        ["scan", "none.json"],
        ["find", "--run", "x"],
    ],
)
def test_wrong_usage_is_2(run: Any, arguments: list[str]) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert answer.stderr


def test_a_refusal_is_1_with_one_sentence(run: Any, service: Any) -> None:
    service.on("GET", "/scan/x/history", {"code": 404, "error": "there is no scan x"}, status=404)
    answer = run("history", "x")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "skydriver: there is no scan x (HTTP 404)\n"


def test_no_service_is_3(run: Any, unreachable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skydriver.cli.client.FIRST_DELAY_SECONDS", 10.0)
    answer = run("--url", unreachable, "backlog")
    assert (answer.exit_code, answer.stdout) == (3, "")
    assert unreachable in answer.stderr


def test_no_known_service_is_3(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKYDRIVER_URL")
    answer = run("backlog")
    assert answer.exit_code == 3
    assert "skydriver up" in answer.stderr


def test_the_local_service_is_found_by_its_data_folder(
    run: Any, service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("GET", "/scans/backlog", {"entries": []})
    (tmp_path / "url").write_text(service.url)
    monkeypatch.delenv("SKYDRIVER_URL")
    monkeypatch.setenv("SKYDRIVER_DATA", str(tmp_path))
    assert run("backlog").exit_code == 0


def test_the_token_of_the_environment_is_sent(
    run: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("GET", "/scans/backlog", {"entries": []})
    monkeypatch.setenv("SKYDRIVER_TOKEN", "secret")
    answer = run("backlog")
    assert service.requests[0].authorization == "Bearer secret"
    assert "secret" not in answer.output
