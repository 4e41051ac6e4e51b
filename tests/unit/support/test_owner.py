"""Servers that tests of a run share; the servers here are files, which can be seen to come and go."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import owner
from tests.support.servers import VARIABLE, shared_server


@contextmanager
def file_server(folder: Path) -> Iterator[Path]:
    place = folder / "runs"
    place.touch(exist_ok=False)
    yield place
    place.unlink()


@contextmanager
def broken_server(folder: Path) -> Iterator[None]:
    pytest.fail("it has no port")
    yield


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[owner.Servers]:
    monkeypatch.setenv(VARIABLE, "none yet")
    monkeypatch.setattr(owner, "STARTS", {"file": file_server, "broken": broken_server})
    servers = owner.Servers()
    yield servers
    servers.close()


def test_one_server_is_started_for_all_who_ask(servers: owner.Servers) -> None:
    with ThreadPoolExecutor() as workers:
        places = set(workers.map(shared_server, ["file"] * 20))
    (place,) = places
    assert place.exists()


def test_a_server_ends_with_the_run(servers: owner.Servers) -> None:
    place = shared_server("file")
    assert place.exists()
    servers.close()
    assert not place.exists()
    # Nothing is left of its files, either.
    assert not place.parent.parent.exists()


def test_each_test_that_asks_hears_why_a_server_does_not_start(servers: owner.Servers) -> None:
    for _ in range(2):
        with pytest.raises(pytest.fail.Exception, match="broken does not start: Failed: it has no port"):
            shared_server("broken")
    assert shared_server("file").exists()
