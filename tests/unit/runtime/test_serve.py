"""The launcher of functions: what it loads, what it refuses, and that it ends when it is asked to."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import skydriver
from skydriver.runtime import serve
from tests.conftest import ROOT

HELLO = """
import gc
from starlette.responses import JSONResponse
import functions_framework.aio
from skydriver.runtime.per_loop import PerLoop

async def close(client):
    open("closed", "w").write(client)

client = PerLoop(lambda: "a client", close)

@functions_framework.aio.http
async def hello(request):
    client.get()
    seen = {"path": request.url.path, "collects": gc.isenabled(), "frozen": gc.get_freeze_count() > 0}
    return JSONResponse(seen)
"""


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "skydriver.runtime.serve"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(Path(skydriver.__file__).parents[1]), str(folder)]),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **environment,
        },
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def answer(url: str) -> httpx.Response:
    """Ask until the port is open."""
    deadline = time.monotonic() + 60
    with httpx.Client(trust_env=False, timeout=60.0) as client:
        while True:
            try:
                return client.get(url)
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.02)


def test_it_serves_the_function_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "hello.py").write_text(HELLO)
    with served(tmp_path, FUNCTION_SOURCE="toys/hello.py", FUNCTION_TARGET="hello") as (process, url):
        # Garbage is collected once the function serves, but not that of its imports.
        assert answer(f"{url}/some/path").json() == {"path": "/some/path", "collects": True, "frozen": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM
    # What clients still hold, such as spans of a trace, is not lost with the process.
    assert (tmp_path / "closed").read_text() == "a client"


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("toys/absent.py", "hello", "there is no toys/absent.py"),
        ("functions/api/get_root.py", "absent", "functions/api/get_root.py has no absent"),
    ],
)
def test_a_function_that_is_not_there_is_named(source: str, target: str, words: str) -> None:
    with pytest.raises(serve.NoFunctionError, match=words):
        serve.load(source, target)


def test_a_module_that_lacks_something_else_says_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("import something_that_is_not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_installed"):
        serve.load("lacking.py", "hello")


def test_it_is_what_the_image_runs() -> None:
    dockerfile = (ROOT / "knative" / "Dockerfile").read_text()
    assert 'CMD ["python", "-m", "skydriver.runtime.serve"]' in dockerfile
