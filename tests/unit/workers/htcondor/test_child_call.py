"""Calls of HTCondor in a child process: real ones, of daemons that are not there or are silent."""

import asyncio
import errno
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skydriver.errors import PermanentError, SkyDriverError, TemporaryError
from skydriver.workers.htcondor import child_call
from skydriver.workers.htcondor.child_call import call, secret_at
from tests.components import need_installed
from tests.conftest import eventually

PLACE = {"collector": "glidein-cm.example.org", "schedd": "sub-2.example.org"}


@pytest.fixture(autouse=True)
def bindings() -> None:
    # Looked for, not imported: the bindings change the environment of the process.
    need_installed("htcondor", "htcondor2")


@pytest.fixture(autouse=True)
def secrets(configure: Callable[..., None], tmp_path: Path) -> Path:
    (tmp_path / "secrets" / "condor-token-sub-2").mkdir(parents=True)
    (tmp_path / "secrets" / "condor-token-sub-2" / "token").write_text("a-token\n")
    configure(CLUSTER_SECRETS=str(tmp_path / "secrets"))
    return tmp_path / "secrets"


@pytest.fixture
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_a_daemon_that_never_answers_is_left_at_the_deadline(silent: str) -> None:
    began = time.monotonic()
    with pytest.raises(TemporaryError, match=r"schedd x or its collector .* did not answer within 1\.5 s"):
        await call({"collector": silent, "schedd": "x"}, None, "observe", seconds=1.5, clusters={})
    assert time.monotonic() - began < 120


async def test_a_collector_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TemporaryError, match=f"the collector 127.0.0.1:{port} does not answer"):
        await call(
            {"collector": f"127.0.0.1:{port}", "schedd": "x"}, None, "observe", seconds=30, clusters={}
        )


async def test_without_a_collector_the_host_of_the_schedd_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TemporaryError, match=f"the collector 127.0.0.1:{port} does not answer"):
        await call({"schedd": f"127.0.0.1:{port}"}, None, "observe", seconds=30, clusters={})


async def test_a_child_does_not_outlive_its_caller(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[asyncio.subprocess.Process] = []
    create = asyncio.create_subprocess_exec

    async def note(*command: str, **options: object) -> asyncio.subprocess.Process:
        children.append(await create(*command, **options))  # type: ignore[arg-type]
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", note)
    place = {"collector": silent, "schedd": "x"}
    calling = asyncio.create_task(call(place, None, "observe", seconds=60, clusters={}))
    await eventually(lambda: children)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert children[0].returncode is not None


async def test_the_token_is_the_childs_own_and_gone_afterwards() -> None:
    async with child_call._configured(PLACE, "condor-token-sub-2") as folder:
        token = folder / "tokens" / "token"
        assert token.read_text() == "a-token\n"
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert token.stat().st_uid == os.geteuid()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert "a-token" not in (folder / "config").read_text()
    assert not folder.exists()


async def test_a_secret_that_is_missing_is_named() -> None:
    with pytest.raises(TemporaryError, match="the secret 'nowhere' has no readable key 'token'"):
        await call(PLACE, "nowhere", "observe", seconds=5, clusters={})


async def test_a_disk_that_is_full_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(TemporaryError, match="No space left on device"):
        await call(PLACE, None, "observe", seconds=5, clusters={})


async def test_a_child_that_dies_is_an_outage_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_call, "CHILD", "no_such_program")
    with pytest.raises(TemporaryError, match=r"gave up \(1\) on sub-2.example.org: .*no_such_program"):
        await call(PLACE, None, "observe", seconds=30, clusters={})


def test_the_secret_of_a_place() -> None:
    assert secret_at(PLACE) == "condor-token-sub-2"
    assert secret_at(PLACE, "sub-2") == "condor-token-sub-2"
    assert secret_at(PLACE, "a former name") == "condor-token-sub-2"
    with pytest.raises(TemporaryError, match=r"no known cluster is at the schedd elsewhere any longer"):
        secret_at({**PLACE, "schedd": "elsewhere"})


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        ("token", PermanentError, "does not accept the token of the secret 'a-secret'"),
        ("denied", PermanentError, "the token of the secret 'a-secret' does not allow this"),
        ("description", PermanentError, "cannot read the submit description: so it is"),
        ("bindings", PermanentError, "not installed here"),
        ("full", TemporaryError, "takes no more jobs of ours now"),
        ("under way", TemporaryError, "still under way"),
        ("unknown", TemporaryError, "the collector glidein-cm.example.org knows no schedd sub-2.example.org"),
        ("collector", TemporaryError, "the collector glidein-cm.example.org does not answer"),
        ("schedd", TemporaryError, "the schedd sub-2.example.org has trouble: so it is"),
    ],
)
def test_trouble_is_put_into_words(trouble: str, kind: type[SkyDriverError], words: str) -> None:
    error = child_call._error(trouble, "so it is", PLACE, "a-secret")
    assert type(error) is kind
    assert words in str(error)
