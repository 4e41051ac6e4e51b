"""`skydriver status` against the real service: an answer without an error, and a reason, at any time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skydriver.cli.main import app
from tests.conftest import eventually
from tests.system.conftest import SLOW, running


async def test_why_it_is_not_done_from_the_backlog_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "data", STARTS_PER_MINUTE="1") as skydriver:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("SKYDRIVER_URL", skydriver.service.url)

        async def why(scan_id: str) -> str:
            answer: Any = await asyncio.to_thread(CliRunner().invoke, app, ["status", scan_id])
            assert (answer.exit_code, answer.stderr) == (0, "")
            assert answer.stdout.startswith(f"scan       {scan_id}")
            return str(answer.stdout.splitlines()[-1])

        async def becomes(scan_id: str, beginning: str) -> str:
            said: list[str] = []

            async def look() -> str:
                said.append(await why(scan_id))
                return said[-1] if said[-1].startswith(beginning) else ""

            try:
                return str(await eventually(look, deadline=60))
            except TimeoutError:
                raise AssertionError(f"it never was {beginning!r} but {said}") from None

        first = await skydriver.submit(**SLOW)
        second = await skydriver.submit()
        waits = "It waits in the backlog, at place 1 of 1: the limit of starts"
        assert await becomes(second, waits) == f"{waits} within a minute is reached (1)."
        scanned = await becomes(first, "It is being scanned by 1 worker: ")
        assert "pixels are done" in scanned
        await skydriver.call("DELETE", f"/scan/{first}")
        assert (await why(first)).startswith("It was aborted")
        await skydriver.ended(first)
        assert await why(first) == "It was aborted by a user."
