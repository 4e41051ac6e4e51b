"""Scans of the v4 era: a stand-in server and pilots over a real RabbitMQ, with a recorder for SkyDriver."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstd

from skydriver.standin.v4.messages import read_pixel
from skydriver.workers import pilot
from tests.components.rabbitmq.server import PASSWORD, RabbitMQ
from tests.integration.standin.stage import SCAN_ID, Pod, Process, Recorder
from tests.support.messages import FROM_CLIENTS, TO_CLIENTS, Queues

LINE = "--reco-algo millipede_wilks --nsides 1:0 2:2 --real-event"


class V4Pod(Pod):
    """Starts servers and pilots of the v4 era."""

    def __init__(self, folder: Path, queues: Queues) -> None:
        super().__init__(folder)
        self.startup = folder / "made" / "startup.json"
        self.queues = queues
        self.ewms_json = folder / "ewms.json"
        profile = {"auth_token": PASSWORD, "broker_type": "rabbitmq", "broker_address": queues.address}
        self.ewms_json.write_text(
            json.dumps(
                {
                    "toclient": {"name": TO_CLIENTS, **profile},
                    "fromclient": {"name": FROM_CLIENTS, **profile},
                }
            )
        )

    def server(self, recorder: Recorder | None = None, line: str = LINE, **environment: str) -> Process:
        assert recorder is not None
        files = ["--cache-dir", str(self.folder / "made"), "--client-startup-json", str(self.startup)]
        environment = {
            "SKYSCAN_SKYDRIVER_ADDRESS": recorder.address,
            "SKYSCAN_SKYDRIVER_AUTH": "a-token",
            "SKYSCAN_SKYDRIVER_SCAN_ID": SCAN_ID,
            "SKYSCAN_EWMS_JSON": str(self.ewms_json),
            "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS": "60",
            "SKYSCAN_STANDIN_WORKFORCE_SECONDS": "0.05",
            **environment,
        }
        return self._start("skydriver.standin.v4.server", [*files, *line.split()], environment)

    def worker(self, *arguments: str, **environment: str) -> Process:
        client = ["--", sys.executable, "-m", "skydriver.standin.v4.client"]
        environment = {**self.queues.environment, "EWMS_TASK_DATA_HUB_DIR": str(self.folder), **environment}
        startup = ["--client-startup-json", str(self.startup)]
        return self._start("skydriver.workers.pilot", [*startup, *client], environment)


@pytest.fixture
def queues(rabbitmq: RabbitMQ) -> Iterator[Queues]:
    with rabbitmq.vhost() as vhost:
        yield Queues(rabbitmq, vhost)


@pytest.fixture
def pod(tmp_path: Path, queues: Queues) -> Iterator[V4Pod]:
    running = V4Pod(tmp_path, queues)
    yield running
    running.end()


def test_a_whole_scan_with_two_pilots(pod: V4Pod, recorder: Recorder) -> None:
    recorder.n_running = [0, 0, 2]
    server = pod.server(recorder)
    recorder.wait_for(lambda calls: any(call.method == "PATCH" for call in calls))
    workers = [pod.worker(SKYSCAN_MQ_TIMEOUT_TO_CLIENTS="1000") for _ in range(2)]
    assert server.wait() == 0, server.log
    steps = [f"{call.method} {call.path.removeprefix(f'/scan/{SCAN_ID}/')}" for call in recorder.calls]
    assert steps[:6] == ["GET manifest", "PATCH manifest", *["GET ewms/workforce"] * 3, "PATCH manifest"]
    assert {call.authorization for call in recorder.calls} == {"Bearer a-token"}
    summaries = [call.body["progress"]["summary"] for call in recorder.calls if call.method == "PATCH"]
    assert summaries[0] == "The Skymap Scanner has started up. (stand-in)"
    # The first real report with pixels says so, the last one that all is done; the last round is empty.
    assert (
        summaries[1]
        == "The Skymap Scanner has sent out 12 pixels and is waiting to receive recos. (stand-in)"
    )
    assert summaries[-1] == "The Skymap Scanner has finished. (stand-in)"
    result, progress = recorder.reports[-2:]
    assert (result.method, result.body["is_final"], progress.method) == ("PUT", True, "PATCH")
    found = {name: len(part["data"]) for name, part in result.body["skyscan_result"].items()}
    overall = progress.body["progress"]["tallies"]["overall"]
    assert found["nside-1"] == 12
    assert overall["pixels"]["done"] == sum(found.values()) > 12
    # Nothing more is in the queues; they stay, as the scanner never deletes one.
    assert [pod.queues.waiting(queue) for queue in (TO_CLIENTS, FROM_CLIENTS)] == [0, 0]
    pod.queues.delete(TO_CLIENTS)
    assert [worker.wait() for worker in workers] == [0, 0], [worker.log for worker in workers]
    assert all("pixels were done" in worker.log for worker in workers)


def test_a_pixel_of_a_killed_pilot_is_done_by_another(pod: V4Pod, recorder: Recorder) -> None:
    server = pod.server(recorder, SKYSCAN_STANDIN_PIXEL_SECONDS="0.2")
    recorder.wait_for(lambda calls: any(call.method == "PATCH" for call in calls))
    first = pod.worker()
    recorder.wait_for(
        lambda calls: any("nside-1" in (call.body or {}).get("skyscan_result", {}) for call in calls)
    )
    first.popen.kill()
    pod.worker()
    assert server.wait() == 0, server.log


def test_an_abort_is_heard_by_the_kill_switch_while_nothing_comes(pod: V4Pod, recorder: Recorder) -> None:
    recorder.more_status = {"is_deleted": False, "ewms_deactivated": "ABORTED"}
    server = pod.server(recorder, SKYSCAN_KILL_SWITCH_CHECK_INTERVAL="1")
    assert server.wait() == 130
    assert not any(call.is_final for call in recorder.reports)


def test_an_error_while_it_asks_for_workers_ends_the_server(pod: V4Pod, recorder: Recorder) -> None:
    recorder.refuse = lambda call: 404 if call.path.endswith("workforce") else None
    assert pod.server(recorder).wait() == 1


def test_without_a_broker_the_server_ends(pod: V4Pod, recorder: Recorder) -> None:
    pod.ewms_json.write_text(pod.ewms_json.read_text().replace(f":{pod.queues.broker.port}/", ":1/"))
    server = pod.server(recorder)
    assert server.wait() == 1
    assert "the broker is out of reach" in server.log
    assert PASSWORD not in server.log


def test_an_environment_that_lacks_something(pod: V4Pod, recorder: Recorder) -> None:
    server = pod.server(recorder, SKYSCAN_EWMS_JSON="")
    assert server.wait() == 1
    assert "SKYSCAN_EWMS_JSON" in server.log


async def test_pixels_are_messages_of_mqclient(pod: V4Pod, recorder: Recorder) -> None:
    server = pod.server(recorder)
    found = await pod.queues.receive(12, queue=TO_CLIENTS)
    assert {read_pixel(message).reco.ipix for message in found} == set(range(12))
    server.popen.terminate()
    assert server.wait() == 143


def test_the_pilot_reads_and_writes_what_the_real_library_does(shared: Path) -> None:
    folder = shared / "data" / "scanner-v4"
    example = folder / "reco_pixel_single" / "millipede_wilks" / "BRONZE"
    for kind, name in (("toclient", "in"), ("fromclient", "out")):
        real = (folder / "queue" / f"{kind}.zst").read_bytes()
        data = json.loads((example / f"{name}.json").read_text())
        assert pilot.decode(real) == data
        assert json.loads(zstd.decompress(pilot.encode(data))) == json.loads(zstd.decompress(real))
