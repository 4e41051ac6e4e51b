"""The examples of docs/notifications.md, run on real deliveries."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from skydriver.model.subscriptions import Protocol
from skydriver.notify.send import send
from skydriver.notify.signatures import secret_of
from tests.support.notifications import a_notification, a_subscription, an_event
from tests.support.receivers import Heard, Receiver

PAGE = (Path(__file__).parents[3] / "docs" / "notifications.md").read_text()
SECTION = PAGE.split("### Check a signature")[1].split("\n## ")[0]
PYTHON, SHELL = (re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)[0] for kind in ("python", "sh"))


async def delivered(hook: Receiver) -> tuple[Heard, str]:
    """Send a notification, and return the received call and the subscription's secret."""
    subscription = a_subscription(Protocol.HTTP, hook.url())
    await send(subscription, an_event(), a_notification(reason="“quoted”, on\ntwo lines"))
    return hook.posts()[-1], secret_of("sub-1", subscription["generation"], subscription["key_id"])


def in_python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(PYTHON, names)  # noqa: S102 - of our own page
    genuine: bool = names["is_genuine"](secret, headers, body)
    return genuine


def in_shell(folder: Path, secret: str, headers: dict[str, str], body: bytes) -> bool:
    (folder / "body.json").write_bytes(body)
    variables = {
        "SECRET": secret,
        "ID": headers["webhook-id"],
        "TIMESTAMP": headers["webhook-timestamp"],
        "SIGNATURE": headers["webhook-signature"],
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    run = subprocess.run(
        ["sh", "-eu", "-c", SHELL], cwd=folder, env=variables, capture_output=True, text=True, check=True
    )
    return {"genuine\n": True, "forged\n": False}[run.stdout]


async def test_the_examples_accept_a_delivery_and_refuse_a_changed_one(
    hook: Receiver, tmp_path: Path
) -> None:
    heard, secret = await delivered(hook)
    headers, body = heard.headers, heard.body
    other = secret_of("sub-2", 1, a_subscription(Protocol.HTTP, hook.url())["key_id"])
    forged = (
        (secret, headers, body + b" "),
        (secret, headers, body.replace(b"12345", b"12346")),
        (secret, {**headers, "webhook-id": "msg_other"}, body),
        (secret, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body),
        (other, headers, body),
    )
    assert in_python(secret, headers, body)
    assert in_shell(tmp_path, secret, headers, body)
    for one in forged:
        assert not in_python(*one)
        assert not in_shell(tmp_path, *one)


async def test_the_examples_refuse_a_delivery_that_is_replayed_later(
    hook: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        then.setattr("time.time", lambda: 1_700_000_000.0)
        heard, secret = await delivered(hook)
    assert not in_python(secret, heard.headers, heard.body)
    assert not in_shell(tmp_path, secret, heard.headers, heard.body)


def test_both_examples_are_short() -> None:
    assert len(PYTHON.strip().splitlines()) <= 11
    assert len(SHELL.strip().splitlines()) <= 10
