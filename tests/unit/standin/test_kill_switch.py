from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from skydriver.standin.kill_switch import KillSwitch
from skydriver.standin.skydriver_api import CallError


class Status:
    """Stands for a client: gives one answer after another, and at the end says that all were asked for."""

    def __init__(self, *answers: Any) -> None:
        self._answers: Iterator[Any] = iter(answers)
        self.all_asked = Event()

    def get_status(self) -> Any:
        answer = next(self._answers, self)
        if answer is self:
            self.all_asked.set()
            return {}
        if isinstance(answer, Exception):
            raise answer
        return {"scan_state": answer}


def test_a_stopped_scan_is_aborted() -> None:
    aborted = Event()
    client = Status("IN_PROGRESS__PARTIAL_RESULT_GENERATED", "STOPPED__PARTIAL_RESULT_GENERATED")
    with KillSwitch(client, 0.001, aborted.set):  # type: ignore[arg-type]
        assert aborted.wait(10)


@pytest.mark.parametrize(
    "answer", [CallError("out of reach"), None, 7, "PENDING__PRESTARTUP", "SCAN_FINISHED_SUCCESSFULLY"]
)
def test_nothing_else_aborts(answer: Any) -> None:
    aborted = Event()
    client = Status(answer, answer)
    with KillSwitch(client, 0.001, aborted.set):  # type: ignore[arg-type]
        assert client.all_asked.wait(10)
    assert not aborted.is_set()
