"""The pilot at a real RabbitMQ, with the scanner's own message library at the other end.

The one-pixel client is a toy here: it does what a pixel tells it.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from skydriver.workers import pilot as module
from tests.components.rabbitmq.server import RabbitMQ
from tests.conftest import eventually
from tests.support.messages import FROM_CLIENTS, TO_CLIENTS, Queues

CLIENT = """
import argparse, json, os, pathlib, subprocess, sys, time
parser = argparse.ArgumentParser()
for name in ("infile", "outfile", "client-startup-json"):
    parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
arguments = parser.parse_args()
pixel = json.loads(arguments.infile.read_text())
assert json.loads(arguments.client_startup_json.read_text()) == {"a": "startup file"}
if "pids" in pixel:
    child = subprocess.Popen(["sleep", "1000"])
    pathlib.Path(pixel["pids"]).with_suffix(".partial").write_text(json.dumps([os.getpid(), child.pid]))
    pathlib.Path(pixel["pids"]).with_suffix(".partial").rename(pixel["pids"])
while "gate" in pixel and not pathlib.Path(pixel["gate"]).exists():
    time.sleep(0.02)
if "exit" in pixel:
    print("this pixel cannot be done")
    sys.exit(pixel["exit"])
if "write" in pixel:
    arguments.outfile.write_text(pixel["write"])
elif not pixel.get("is_silent"):
    (arguments.outfile.parent / "nside000001").mkdir()
    answer = {"pixel": pixel, "folder": os.listdir(), "environment": dict(os.environ)}
    arguments.outfile.write_text(json.dumps(answer))
"""
DEADLINE = 60.0


class Pilots:
    """Starts pilots, each in its own folder."""

    def __init__(self, folder: Path, queues: Queues) -> None:
        self._folder = folder
        self._queues = queues
        self._all: list[subprocess.Popen[str]] = []
        (folder / "client.py").write_text(CLIENT)
        (folder / "startup.json").write_text('{"a": "startup file"}')

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        folder = self._folder / f"pilot-{len(self._all)}"
        folder.mkdir()
        client = ("--", sys.executable, str(self._folder / "client.py"))
        process = subprocess.Popen(
            [sys.executable, module.__file__, "--client-startup-json", "../startup.json", *client],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                **self._queues.environment,
                "SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE": "60",
                "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS": "0.5",
                **environment,
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._all.append(process)
        return process

    def run(self, **environment: str) -> tuple[int, str]:
        """Run one to its end; its exit status, and what it wrote."""
        process = self.start(**environment)
        output, _ = process.communicate(timeout=DEADLINE)
        return process.returncode, output

    def end(self) -> None:
        for process in self._all:
            process.kill()
            process.communicate()


@pytest.fixture
def queues(rabbitmq: RabbitMQ) -> Iterator[Queues]:
    with rabbitmq.vhost() as vhost:
        yield Queues(rabbitmq, vhost)


@pytest.fixture
def pilots(tmp_path: Path, queues: Queues) -> Iterator[Pilots]:
    running = Pilots(tmp_path, queues)
    yield running
    running.end()


async def began(path: Path) -> list[int]:
    """Wait until a client has begun; the ids of its process and of that process's child."""
    await eventually(path.exists, deadline=DEADLINE)
    pids: list[int] = json.loads(path.read_text())
    return pids


async def gone(pids: list[int]) -> None:
    def are_gone() -> bool:
        return not any(
            psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids
        )

    await eventually(are_gone, deadline=DEADLINE)


async def test_pixels_are_done_one_by_one_until_there_are_no_more(queues: Queues, pilots: Pilots) -> None:
    pixels = [{"reco_algo": "dummy", "number": number} for number in range(3)]
    await queues.send(*pixels)
    status, log = pilots.run()
    assert status == 0, log
    answers = await queues.receive(3)
    assert [answer["pixel"] for answer in answers] == pixels
    assert queues.waiting() == 0
    for answer in answers:
        # Nothing is left of the pixel before.
        assert sorted(answer["folder"]) == ["client.log", "in.json", "nside000001"]
        assert not {"SKYSCAN_BROKER_ADDRESS", "SKYSCAN_BROKER_AUTH"} & answer["environment"].keys()
        assert Path(answer["environment"]["EWMS_TASK_DATA_HUB_DIR"]).is_dir()
    (folder,) = {Path(answer["environment"]["EWMS_TASK_DATA_HUB_DIR"]).parent for answer in answers}
    assert [path.name for path in folder.iterdir()] == ["data-hub"]


async def test_the_queues_may_come_later(queues: Queues, pilots: Pilots) -> None:
    pilot = pilots.start()
    assert pilot.stdout is not None
    assert "404" in pilot.stdout.readline()
    await queues.send({"number": 1})
    assert (await queues.receive(1))[0]["pixel"] == {"number": 1}
    assert pilot.wait(DEADLINE) == 0


async def test_a_killed_workers_pixel_is_done_by_another(
    queues: Queues, pilots: Pilots, tmp_path: Path
) -> None:
    await queues.send({"pids": str(tmp_path / "pids"), "gate": str(tmp_path / "gate")})
    first = pilots.start()
    client, child = await began(tmp_path / "pids")
    first.kill()
    await gone([client])
    psutil.Process(child).kill()  # in a container, or under HTCondor, it dies with the worker
    (tmp_path / "gate").touch()
    second = pilots.start()
    assert (await queues.receive(1))[0]["pixel"]["gate"]
    assert second.wait(DEADLINE) == 0
    assert queues.waiting() == 0


@pytest.mark.serial
@pytest.mark.own_server
async def test_an_answer_outlives_the_broker(
    rabbitmq: RabbitMQ, queues: Queues, pilots: Pilots, tmp_path: Path
) -> None:
    await queues.send({"number": 1, "pids": str(tmp_path / "pids"), "gate": str(tmp_path / "gate")})
    pilot = pilots.start(SKYSCAN_MQ_TIMEOUT_TO_CLIENTS="300")
    pids = await began(tmp_path / "pids")
    rabbitmq.stop()
    rabbitmq.start()
    assert psutil.pid_exists(pids[0])
    (tmp_path / "gate").touch()
    # The broker gives the pixel out again: the scanner ignores the second answer.
    assert [answer["pixel"]["number"] for answer in await queues.receive(2, timeout=180)] == [1, 1]
    pilot.send_signal(signal.SIGTERM)
    assert pilot.wait(DEADLINE) == 0
    assert queues.waiting() == 0


async def test_an_answer_waits_for_its_queue(queues: Queues, pilots: Pilots, tmp_path: Path) -> None:
    pixel = {"pids": str(tmp_path / "pids"), "gate": str(tmp_path / "gate")}
    await queues.send(pixel)
    queues.delete(FROM_CLIENTS)
    pilot = pilots.start()
    await began(tmp_path / "pids")
    (tmp_path / "gate").touch()
    assert pilot.stdout is not None
    assert "the queue of answers is not there" in pilot.stdout.readline()
    await queues.send()
    assert (await queues.receive(1))[0]["pixel"] == pixel
    assert pilot.wait(DEADLINE) == 0
    assert queues.waiting() == 0


async def test_a_pixel_that_takes_too_long_is_ended_with_all_its_processes(
    queues: Queues, pilots: Pilots, tmp_path: Path
) -> None:
    await queues.send({"pids": str(tmp_path / "pids"), "gate": str(tmp_path / "never")})
    status, log = pilots.run(EWMS_PILOT_TASK_TIMEOUT="1")
    assert status == 1
    assert "the pixel took longer than 1 s" in log
    await gone(await began(tmp_path / "pids"))
    assert queues.waiting() == 1


@pytest.mark.parametrize(
    ("pixel", "reason"),
    [
        ({"exit": 3}, "the client ended with 3: this pixel cannot be done"),
        ({"is_silent": True}, "the client wrote no answer"),
        ({"write": "{"}, "the client's answer is no JSON"),
    ],
)
async def test_after_a_failure_a_worker_gives_its_pixel_back_and_ends(
    pixel: dict[str, Any], reason: str, queues: Queues, pilots: Pilots
) -> None:
    await queues.send(pixel, {"number": 2})
    status, log = pilots.run()
    assert status == 1
    assert reason in log
    assert queues.waiting() == 2
    assert queues.waiting(FROM_CLIENTS) == 0


async def test_a_failed_worker_stays_in_quarantine_and_holds_nothing(queues: Queues, pilots: Pilots) -> None:
    await queues.send({"exit": 1})
    bad = pilots.start(EWMS_PILOT_QUARANTINE_TIME="1000")
    assert bad.stdout is not None
    while "the client ended with 1" not in bad.stdout.readline():
        assert bad.poll() is None
    await eventually(lambda: queues.waiting() == 1)
    assert bad.poll() is None
    bad.send_signal(signal.SIGTERM)
    assert bad.wait(DEADLINE) == 1


async def test_a_worker_that_is_told_to_end_finishes_its_pixel(
    queues: Queues, pilots: Pilots, tmp_path: Path
) -> None:
    await queues.send({"pids": str(tmp_path / "pids"), "gate": str(tmp_path / "gate")}, {"number": 2})
    pilot = pilots.start()
    await began(tmp_path / "pids")
    assert queues.waiting() == 1  # nothing is taken ahead
    pilot.send_signal(signal.SIGTERM)
    assert pilot.stdout is not None
    assert "Told to end" in pilot.stdout.readline()
    (tmp_path / "gate").touch()
    assert pilot.wait(DEADLINE) == 0
    assert (await queues.receive(1))[0]["pixel"]["gate"]
    assert await queues.receive(1, queue=TO_CLIENTS) == [{"number": 2}]


async def test_told_twice_it_gives_its_pixel_back_at_once(
    queues: Queues, pilots: Pilots, tmp_path: Path
) -> None:
    await queues.send({"pids": str(tmp_path / "pids"), "gate": str(tmp_path / "never")})
    pilot = pilots.start()
    pids = await began(tmp_path / "pids")
    for _ in range(2):
        pilot.send_signal(signal.SIGTERM)
        assert pilot.stdout is not None
        pilot.stdout.readline()
    assert pilot.wait(DEADLINE) == 128 + signal.SIGTERM
    await gone(pids)
    assert queues.waiting() == 1


async def test_an_idle_worker_ends_when_told(queues: Queues, pilots: Pilots) -> None:
    await queues.send({"number": 1})
    pilot = pilots.start(SKYSCAN_MQ_TIMEOUT_TO_CLIENTS="1000")
    await queues.receive(1)
    pilot.send_signal(signal.SIGTERM)
    assert pilot.wait(DEADLINE) == 0


@pytest.mark.parametrize("is_busy", [True, False], ids=["busy", "idle"])
async def test_the_end_of_the_queue_is_the_end_of_the_work(
    queues: Queues, pilots: Pilots, tmp_path: Path, is_busy: bool
) -> None:
    await queues.send({"pids": str(tmp_path / "pids"), "gate": str(tmp_path / "gate")})
    pilot = pilots.start(SKYSCAN_MQ_TIMEOUT_TO_CLIENTS="1000")
    pids = await began(tmp_path / "pids")
    if not is_busy:
        (tmp_path / "gate").touch()
        await queues.receive(1)
    queues.delete(TO_CLIENTS)
    assert pilot.wait(DEADLINE) == 0
    await gone(pids)


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


async def test_pickles_are_given_back_unopened(queues: Queues, pilots: Pilots, tmp_path: Path) -> None:
    await queues.send()
    # As scanners before v4 write their messages.
    queues.publish(pickle.dumps({"headers": {}, "data": Trap(tmp_path / "trace")}, protocol=4))
    status, log = pilots.run()
    assert status == 1
    assert "a message cannot be read" in log
    assert not (tmp_path / "trace").exists()
    assert queues.waiting() == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"SKYSCAN_BROKER_AUTH": "wrong"}, "refuses the user or the token"),
        ({"SKYSCAN_BROKER_ADDRESS": "skydriver@127.0.0.1:{port}/nowhere"}, "refuses the virtual host"),
    ],
)
def test_a_refusal_of_the_broker_is_final(
    changes: dict[str, str], reason: str, rabbitmq: RabbitMQ, pilots: Pilots
) -> None:
    status, log = pilots.run(**{name: text.format(port=rabbitmq.port) for name, text in changes.items()})
    assert status == 1
    assert reason in log
    assert "wrong" not in log


def test_a_broker_that_is_never_there_is_a_failure(pilots: Pilots) -> None:
    status, log = pilots.run(
        SKYSCAN_BROKER_ADDRESS="skydriver@127.0.0.1:1",
        SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE="0.5",
    )
    assert status == 1
    assert "the broker is out of reach" in log
