"""What users see of errors, whatever they are: a sentence and an exit code, never a traceback or a secret."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skydriver.cli import sessions
from skydriver.cli.commands import inspect
from skydriver.cli.web import CERTIFICATES, PROXIES

DEEP = "[" * 100_000 + "]" * 100_000
TOKEN = "eyJhbGciOi.a-secret-token.of-somebody"
ELSEWHERE = "http://skydriver.invalid"

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(service: Any, tmp_path: Path) -> Shell:
    """Run the command in a process, with stdout where it is asked for."""

    def run(*args: str, stdout: Any = subprocess.PIPE, **variables: str) -> Any:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SKYDRIVER_")}
        environment |= {"SKYDRIVER_URL": service.url, "XDG_STATE_HOME": str(tmp_path), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "skydriver.cli.main", *args],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | variables,
            timeout=120,
            check=False,
        )

    return run


def one_sentence(stderr: str, *words: str) -> None:
    assert "Traceback" not in stderr
    assert all(word in stderr for word in words), stderr


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}', '{"a": "\\ud800"}', '{"\\udfff": 1}', DEEP, "\udcff"],
)
def test_a_filter_that_cannot_be_sent(run: Any, service: Any, text: str) -> None:
    answer = run("find", "--filter", text)
    assert answer.exit_code == 2
    one_sentence(answer.stderr, "not JSON")
    assert service.requests == []


def test_a_label_that_cannot_be_sent(run: Any, service: Any) -> None:
    answer = run("find", "--classifier", "who=\udcff")
    assert answer.exit_code == 2
    one_sentence(answer.stderr, "cannot be sent", "surrogate")
    assert service.requests == []


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x89PNG\r\n", DEEP.encode(), b"[1]", b""])
def test_a_file_that_is_no_result(run: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    answer = run("plot", str(path))
    assert answer.exit_code == 2
    one_sentence(answer.stderr, "not")


def test_an_event_with_nan_is_sent_with_null(run: Any, service: Any, tmp_path: Path) -> None:
    service.on("POST", "/scan", {"scan_id": "x"})
    path = tmp_path / "event.json"
    path.write_text('{"value": {"data": {"cr_zen": NaN}}}')
    answer = run("scan", str(path), "--no-follow")
    assert (answer.exit_code, answer.stdout) == (0, "x\n")
    assert service.requests[0].body["event_i3live_json"] == {"value": {"data": {"cr_zen": None}}}


IDS = [
    "../x",
    "..",
    ".",
    "",
    "a/b",
    "a\nb",
    "a b",
    "a%2fb",
    "a?b",
    "a#b",
    "\udcff",
    "ä",
    "x" * 129,
    "-",
    "\0",
]


@pytest.mark.parametrize("command", ["status", "history", "result", "stop", "plot"])
@pytest.mark.parametrize("scan_id", IDS)
def test_what_is_no_id_reaches_no_route(run: Any, service: Any, command: str, scan_id: str) -> None:
    answer = run(command, "--", scan_id)
    assert answer.exit_code == 2
    one_sentence(answer.stderr, "is no scan's id")
    assert service.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://[::1",
        "http://a b",
        "http://host:99999",
        "http://host:port",
        "http://" + "a" * 64,
        "http://a..b",
        "http://\udcff",
        "http://x%zz",
        "http://<host>",
        "ftp://host",
        "host:80",
        "http://host?query",
    ],
)
def test_what_is_no_address(run: Any, url: str) -> None:
    answer = run("--url", url, "backlog")
    assert answer.exit_code == 2
    one_sentence(answer.stderr, "the address given by --url or SKYDRIVER_URL")


def test_a_password_in_an_address_is_not_shown(run: Any) -> None:
    for address in ("http://ada:hush-hush@host", "ada:hush-hush@host"):
        answer = run("--url", address, "backlog")
        assert answer.exit_code == 2
        assert "hush" not in answer.output


@pytest.mark.parametrize(
    "token", [f"{TOKEN}\n", f"{TOKEN}\nX: y", f"{TOKEN}\r", f" {TOKEN}", f"{TOKEN}ä", f"\t{TOKEN}"]
)
@pytest.mark.parametrize("command", [["backlog"], ["check"], ["find", "--mine"]], ids=lambda words: words[0])
def test_a_token_that_no_header_can_carry_is_not_shown(
    run: Any, service: Any, monkeypatch: pytest.MonkeyPatch, token: str, command: list[str]
) -> None:
    monkeypatch.setenv("SKYDRIVER_TOKEN", token)
    answer = run(*command)
    assert answer.exit_code == 1
    one_sentence(answer.stderr, "the token of SKYDRIVER_TOKEN cannot be sent")
    assert "secret" not in answer.output
    assert service.requests == []


def test_a_token_that_a_service_repeats_is_masked(
    run: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYDRIVER_TOKEN", "opaque-secret-token")
    service.on("GET", "/scans/backlog", {"error": "no: Bearer opaque-secret-token"}, status=403)
    answer = run("backlog")
    assert answer.exit_code == 1
    assert "***" in answer.stderr
    assert "secret" not in answer.output


def test_a_fault_of_ours_says_how_to_report_it_without_secrets(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LookupError(f"about {TOKEN} and opaque-secret-token at https://ada:hush-hush@host")

    monkeypatch.setenv("SKYDRIVER_TOKEN", "opaque-secret-token")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(inspect.__name__ + ".print_json", fail)
    monkeypatch.setattr("skydriver.cli.client.Client.backlog", lambda _: {"entries": []})
    answer = run("backlog", "--json")
    assert (answer.exit_code, answer.stdout) == (70, "")
    one_sentence(answer.stderr, "a fault of this program (LookupError)", "Please report it")
    [file] = tmp_path.glob("skydriver-fault-*")
    assert str(file) in answer.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    account = file.read_text()
    assert "Traceback" in account
    assert "secret" not in account
    assert "hush" not in account


@pytest.mark.parametrize(
    "kept",
    [
        [1],
        "x",
        {"URL": 5},
        {"URL": {}},
        {"URL": {"access_token": 5}},
        {"URL": {"more": 1, "ends_at": "x"}},
        None,
    ],
)
def test_sessions_of_another_shape_are_no_login(
    run: Any, service: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: Any
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    service.on("GET", "/scans/backlog", {"entries": []})
    path = sessions.sessions_file()
    assert path is not None
    path.parent.mkdir()
    path.write_text(json.dumps(kept).replace("URL", service.url) if kept else DEEP)
    assert run("backlog").exit_code == 0
    assert service.requests[0].authorization is None


def test_a_user_without_a_home(run: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError("no such user")

    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "SKYDRIVER_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    service.on("GET", "/scans/backlog", {"entries": []})
    assert run("--url", service.url, "backlog").exit_code == 0
    monkeypatch.delenv("SKYDRIVER_URL")
    assert run("backlog").exit_code == 3
    answer = run("up")
    assert answer.exit_code == 1
    one_sentence(answer.stderr, "no home folder")


def test_a_data_folder_that_cannot_be_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run("up", "--data", str(tmp_path / "file" / "below"))
    assert answer.exit_code == 1
    one_sentence(answer.stderr, "Not a directory")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTP_PROXY", "gopher://ada:hush-hush@127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:99999"),
        ("NO_PROXY", "::1/128"),
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSLKEYLOGFILE", "/dev/null/below"),
    ],
)
@pytest.mark.parametrize(
    "command", [["backlog"], ["login", "--issuer", ELSEWHERE], ["check"]], ids=lambda c: c[0]
)
def test_variables_of_the_shell_that_cannot_be_used_are_named(
    run: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, command: list[str]
) -> None:
    for other in (*PROXIES, *CERTIFICATES):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.lower(), raising=False)
    monkeypatch.setenv(name, value)
    answer = run("--url", ELSEWHERE, *command)
    assert answer.exit_code == 1
    one_sentence(answer.stderr, name)
    assert "hush" not in answer.output


@pytest.mark.parametrize(
    "tallies",
    [
        [],
        "x",
        {"nsides": []},
        {"nsides": {"abc": {}, "8": 5, "-1": {}, "64": {"done": "many", "est. percent": [1]}}},
        {"nsides": {"8": {"done": None, "est. percent": "1/" + "9" * 5000}, "9" * 5000: {}}},
        {"nsides": {"٨": {"done": 1e300}}},
    ],
)
def test_odd_tallies(
    run: Any, service: Any, running: dict[str, Any], manifest: dict[str, Any], transitions: Any, tallies: Any
) -> None:
    manifest["progress"] |= {"tallies": tallies}
    service.on("GET", "/scan/x/status", running)
    service.on("GET", "/scan/x/manifest", manifest)
    service.on("GET", "/scan/x/history", {"history": transitions})
    service.on("GET", "/scan-request/x", {"request_clusters": []})
    answer = run("status", "x")
    assert answer.exit_code == 0, answer.stderr
    assert "IN_PROGRESS" in answer.stdout


@pytest.mark.parametrize("answer", [{}, {"entries": 5}, {"entries": [5]}, [], DEEP.encode(), b"\xff"])
def test_something_else_is_there(run: Any, service: Any, answer: Any) -> None:
    service.on("GET", "/scans/backlog", answer)
    done = run("backlog")
    assert done.exit_code == 3
    one_sentence(done.stderr, "does not speak as SkyDriver does")


def test_a_screen_that_knows_ascii_alone(shell: Shell, service: Any) -> None:
    history = [{"phase": "QUEUED", "time": 1.0, "cause": "x", "function": "f", "reason": "für ★"}]
    service.on("GET", "/scan/x/history", {"history": history})
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    shown = shell("history", "x", **ascii_only)
    assert shown.returncode == 0, shown.stderr
    assert r"f\xfcr \u2605" in shown.stdout
    as_json = shell("history", "x", "--json", **ascii_only)
    assert json.loads(as_json.stdout)["history"] == history


@pytest.mark.parametrize("arguments", [["backlog"], ["backlog", "--json"], ["--help"], ["--version"]])
def test_a_full_disk(shell: Shell, service: Any, arguments: list[str]) -> None:
    service.on("GET", "/scans/backlog", {"entries": [{"scan_id": "x"}]})
    with Path("/dev/full").open("w") as full:
        done = shell(*arguments, stdout=full)
    assert done.returncode == 1
    one_sentence(done.stderr, "No space left on device")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_gone(shell: Shell, service: Any) -> None:
    service.on("GET", "/scans/backlog", {"entries": [{"scan_id": "x"}]})
    for arguments in (["backlog"], ["backlog", "--json"]):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as gone:
            done = shell(*arguments, stdout=gone)
        assert done.returncode == 1
        one_sentence(done.stderr)
        assert "Exception" not in done.stderr
