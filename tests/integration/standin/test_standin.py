"""Whole scans as real processes: a server and its workers, against a recorder that stands for SkyDriver."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.standin.pixel_server import PixelServer, Task
from skydriver.standin.pixels import PixelQueue
from skydriver.standin.recos import RecoId
from skydriver.standin.surface import Surface
from tests.components import need_installed
from tests.integration.standin.stage import DEADLINE, ROOT, SCAN_ID, Call, Pod, Recorder


def await_startup_json(pod: Pod) -> None:
    deadline = time.monotonic() + DEADLINE
    while not pod.startup.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_recos(calls: list[Call]) -> bool:
    return any(call.method == "PUT" and call.body["skyscan_result"] for call in calls)


# -- a scan that goes well ----------------------------------------------------------------------------


def test_a_whole_scan(pod: Pod, recorder: Recorder) -> None:
    startup_at_first_patch: list[Any] = []

    def look(call: Call) -> None:
        if call.method == "PATCH" and not startup_at_first_patch:
            startup_at_first_patch.append(json.loads(pod.startup.read_text()))

    recorder.refuse = look
    server = pod.server(recorder)
    await_startup_json(pod)
    workers = [pod.worker(SKYSCAN_STANDIN_PIXEL_SECONDS="0.02") for _ in range(2)]
    assert server.wait() == 0, server.log
    assert [worker.wait() for worker in workers] == [0, 0]

    # The event first; the workers' file before the first report.
    assert (recorder.calls[0].method, recorder.calls[0].path) == ("GET", f"/scan/{SCAN_ID}/manifest")
    assert {call.authorization for call in recorder.calls} == {"Bearer a-token"}
    startup = startup_at_first_patch[0]
    assert startup["scan_id"] == startup["mq_basename"] == SCAN_ID
    assert startup["baseline_GCD_file"] is None
    assert [stop for stop, _ in startup["GCDQp_packet"]["frames"]] == list("GCDQP")

    # Reports in the scanner's order.
    reports = recorder.reports
    methods = [call.method for call in reports]
    summaries = [call.body["progress"]["summary"] for call in reports if call.method == "PATCH"]
    assert methods[:5] == ["PATCH", "PATCH", "PUT", "PATCH", "PUT"]
    assert summaries[:3] == [
        "The Skymap Scanner has started up. (stand-in)",
        "The Skymap Scanner has sent out 12 pixels and is waiting to receive recos. (stand-in)",
        "The Skymap Scanner is busy scanning pixels. (stand-in)",
    ]
    assert reports[2].body == {"skyscan_result": {}, "is_final": False}
    assert list(reports[4].body["skyscan_result"]) == ["nside-1"]
    assert len(reports[4].body["skyscan_result"]["nside-1"]["data"]) == 1
    assert methods[-2:] == ["PUT", "PATCH"]
    assert [call.is_final for call in reports].count(True) == 2
    assert reports[-2].is_final and reports[-1].is_final
    assert summaries[-1] == "The Skymap Scanner has finished. (stand-in)"

    # Metadata never changes; results only grow.
    for part in ("event_metadata", "scan_metadata"):
        assert len({json.dumps(call.body[part]) for call in reports if call.method == "PATCH"}) == 1
    sizes = [
        sum(len(nside["data"]) for nside in call.body["skyscan_result"].values())
        for call in reports
        if call.method == "PUT"
    ]
    assert sizes == sorted(sizes)
    final = reports[-2].body["skyscan_result"]
    assert len(final["nside-1"]["data"]) == 12
    assert all(nside["metadata"]["complete"] for nside in final.values())
    assert recorder.reports[-1].body["progress"]["tallies"]["total pixels"] == sizes[-1]

    # It says what it is, and tells no secrets.
    assert "stand-in" in server.log
    assert "a-token" not in server.log + pod.startup.read_text()
    assert "Traceback" not in server.log + workers[0].log + workers[1].log


def test_with_seven_variations_the_first_reco_makes_no_pixel(pod: Pod, recorder: Recorder) -> None:
    server = pod.server(recorder, "--reco-algo splinempe --nsides 1:0 --simulated-event")
    await_startup_json(pod)
    pod.worker()
    assert server.wait() == 0, server.log
    first, second, *_ = [call.body for call in recorder.reports if call.method == "PUT"]
    assert first["skyscan_result"] == second["skyscan_result"] == {}
    last = recorder.reports[-1].body
    assert last["progress"]["tallies"]["total recos"] == 7 * 12
    assert last["event_metadata"]["is_real_event"] is False


def test_a_scan_without_skydriver(pod: Pod) -> None:
    event = ROOT / "examples" / "IC170922A.json"
    server = pod.server(
        None, f"--reco-algo dummy --nsides 1:0 --real-event -e {event} --output-dir {pod.folder}"
    )
    await_startup_json(pod)
    assert pod.worker("--debug-directory", str(pod.folder)).wait() == 0
    assert server.wait() == 0, server.log
    manifest = json.loads((pod.folder / "scan-manifest.json").read_text())
    assert manifest["progress"]["processing_stats"]["finished"]
    assert manifest["scan_metadata"]["scan_id"].startswith("50579430-1:0-")
    assert (pod.folder / "run00130033.evt000050579430.EHE_1.json").is_file()
    (noted,) = pod.folder.glob("recos-*.jsonl")
    assert len(noted.read_text().splitlines()) == 12


@pytest.mark.filterwarnings("ignore")  # plotting libraries warn of this and that
def test_the_result_can_be_read_and_plotted_by_skyreader(pod: Pod) -> None:
    need_installed("skyreader", "skyreader")
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot
    from skyreader import SkyScanResult
    from skyreader.plot import SkyScanPlotter

    event = ROOT / "examples" / "IC170922A.json"
    line = f"--reco-algo millipede_wilks --nsides 8:0 64:12 --real-event -e {event} -o {pod.folder}"
    server = pod.server(None, line)
    await_startup_json(pod)
    for _ in range(2):
        pod.worker()
    assert server.wait() == 0, server.log

    stem = "run00130033.evt000050579430.EHE_8_64"
    result = SkyScanResult.deserialize(json.loads((pod.folder / f"{stem}.json").read_text()))
    assert result == SkyScanResult.read_npz(pod.folder / f"{stem}.npz")
    assert str(result.get_event_metadata()) == "run00130033.evt000050579430.EHE"
    assert result.nsides == [8, 64]
    ra, dec = (float(angle) for angle in result.best_dir)
    assert ra == pytest.approx(1.3514, abs=0.016)  # 77.43 deg, within a pixel of nside 64
    assert dec == pytest.approx(0.0998, abs=0.016)  # +5.72 deg

    plotter = SkyScanPlotter(output_dir=pod.folder)
    plotter.create_plot(result, llh_map=True)
    plotter.create_plot_zoomed(result, plot_bounding_box=True, llh_map=True)
    pyplot.close("all")
    assert (pod.folder / f"{stem}.pdf").stat().st_size > 10_000
    assert (pod.folder / f"{stem}.plot_zoomed_wilks.pdf").stat().st_size > 10_000


# -- when SkyDriver does not answer as it should ------------------------------------------------------


def test_reports_that_fail_in_mid_scan_are_dropped(pod: Pod, recorder: Recorder) -> None:
    recorder.refuse = lambda call: None if call.method == "GET" or call.is_final else 503
    server = pod.server(recorder)
    await_startup_json(pod)
    pod.worker(), pod.worker()
    assert server.wait() == 0, server.log
    *before, result, progress = recorder.reports
    assert before[0::2] == before[1::2]  # each tried twice
    assert [result.method, progress.method] == ["PUT", "PATCH"]
    assert result.is_final and progress.is_final
    assert server.log.count("was dropped") == len(before) / 2


def test_final_reports_are_brought_home(pod: Pod, recorder: Recorder) -> None:
    left = {"PUT": 3, "PATCH": 2}

    def refuse(call: Call) -> int | None:
        if call.method == "GET" or not call.is_final:
            return None
        left[call.method] -= 1
        return 503 if left[call.method] >= 0 else None

    recorder.refuse = refuse
    server = pod.server(recorder)
    await_startup_json(pod)
    worker = pod.worker()
    assert server.wait() == 0, server.log
    assert [call.method for call in recorder.reports if call.is_final] == ["PUT"] * 4 + ["PATCH"] * 3
    assert worker.wait() == 0


@pytest.mark.parametrize(("method", "final_calls"), [("PUT", ["PUT"]), ("PATCH", ["PUT", "PATCH"])])
def test_a_final_report_that_is_refused_ends_the_server(
    pod: Pod, recorder: Recorder, method: str, final_calls: list[str]
) -> None:
    recorder.refuse = lambda call: 400 if call.method == method and call.is_final else None
    server = pod.server(recorder)
    await_startup_json(pod)
    pod.worker()
    assert server.wait() == 1
    assert "400" in server.log
    assert [call.method for call in recorder.reports if call.is_final] == final_calls


@pytest.mark.parametrize("when", ["scanning", "bringing the final result home"])
def test_a_stopped_scan_is_aborted(pod: Pod, recorder: Recorder, when: str) -> None:
    scanning = when == "scanning"
    recorder.refuse = lambda call: 503 if call.method == "PUT" and call.is_final else None
    server = pod.server(recorder, SKYSCAN_KILL_SWITCH_CHECK_INTERVAL="0.1")
    await_startup_json(pod)
    worker = pod.worker(SKYSCAN_STANDIN_PIXEL_SECONDS="1" if scanning else "0")
    recorder.wait_for(lambda calls: has_recos(calls) if scanning else any(c.is_final for c in calls))
    assert server.popen.poll() is None
    recorder.state = "STOPPED__PARTIAL_RESULT_GENERATED"
    assert server.wait() == 130, server.log
    assert "Ended by SIGINT" in server.log
    assert not any(call.method == "PATCH" and call.is_final for call in recorder.reports)
    assert worker.wait() == 0, worker.log  # its server is gone


def test_the_kill_switch_survives_an_error(pod: Pod, recorder: Recorder) -> None:
    recorder.refuse = lambda call: 404 if call.path.endswith("/status") else None
    server = pod.server(recorder, SKYSCAN_KILL_SWITCH_CHECK_INTERVAL="0.1")
    recorder.wait_for(lambda calls: sum(call.path.endswith("/status") for call in calls) >= 2)
    recorder.state = "STOPPED__WAITING_ON_FIRST_PIXEL_RECO"
    recorder.refuse = lambda call: None
    assert server.wait() == 130


@pytest.mark.parametrize(
    ("event", "complaint"),
    [("an-event-id", "not the event itself"), ({}, "no realtime event"), ({"value": {"data": []}}, "run")],
)
def test_an_event_that_cannot_be_scanned(pod: Pod, recorder: Recorder, event: Any, complaint: str) -> None:
    recorder.event = event
    server = pod.server(recorder)
    assert server.wait() == 1
    assert complaint in server.log
    assert recorder.reports == []
    assert not pod.startup.exists()


def test_a_manifest_that_is_refused(pod: Pod, recorder: Recorder) -> None:
    recorder.refuse = lambda call: 401
    assert pod.server(recorder).wait() == 1
    assert len(recorder.calls) == 1


def test_a_wrong_command_line(pod: Pod, recorder: Recorder) -> None:
    server = pod.server(recorder, "--reco-algo crude --real-event")
    assert server.wait() == 2
    assert "invalid choice" in server.log
    assert recorder.calls == []


def test_a_wrong_environment(pod: Pod, recorder: Recorder) -> None:
    server = pod.server(recorder, SKYSCAN_PROGRESS_INTERVAL_SEC="0")
    assert server.wait() == 2
    assert "SKYSCAN_PROGRESS_INTERVAL_SEC" in server.log


def test_a_server_without_workers_gives_up(pod: Pod, recorder: Recorder) -> None:
    server = pod.server(recorder, SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS="0.2")
    assert server.wait() == 1
    assert "no reconstruction" in server.log
    assert not any(call.is_final for call in recorder.reports)


def test_termination(pod: Pod, recorder: Recorder) -> None:
    server = pod.server(recorder)
    await_startup_json(pod)
    worker = pod.worker(SKYSCAN_STANDIN_PIXEL_SECONDS="60")
    recorder.wait_for(lambda calls: len(calls) >= 4)
    server.popen.send_signal(signal.SIGTERM)
    assert server.wait() == 143
    worker.popen.send_signal(signal.SIGTERM)
    assert worker.wait() in (143, -signal.SIGTERM)  # before or after it had set itself up


def test_a_server_sets_its_workers_pace(pod: Pod, recorder: Recorder) -> None:
    pod.server(recorder, SKYSCAN_STANDIN_PIXEL_SECONDS="60")
    await_startup_json(pod)
    worker = pod.worker(EWMS_PILOT_TASK_TIMEOUT="0.2")
    assert worker.wait() == 1
    assert "longer than 0.2 s" in worker.log


# -- workers ------------------------------------------------------------------------------------------


@pytest.fixture
def queue() -> PixelQueue:
    queue = PixelQueue(lease_seconds=1000)
    queue.put([RecoId(1, ipix, 0) for ipix in range(12)])
    return queue


Serve = Callable[..., PixelServer]


@pytest.fixture
def serve(pod: Pod, queue: PixelQueue, request: pytest.FixtureRequest) -> Serve:
    """Serve the queue for an algorithm, and tell workers of it."""

    def start(algorithm: str, name: str = SCAN_ID) -> PixelServer:
        surface = Surface(1.0, 0.5, 0.01, 0.01, 1000.0, 1e5, 0.0)
        server = PixelServer(queue, Task(algorithm, 1, surface), name, "127.0.0.1")
        server.__enter__()
        request.addfinalizer(lambda: server.__exit__(None, None, None))
        pod.startup.write_text(json.dumps({"mq_basename": SCAN_ID, "standin_server": server.url}))
        return server

    return start


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [("http://127.0.0.1:9", 0, "is gone"), ("http://no-such-host.invalid:9", 1, "out of reach all the time")],
)
def test_a_worker_that_never_meets_its_server(pod: Pod, address: str, status: int, said: str) -> None:
    pod.startup.write_text(json.dumps({"mq_basename": SCAN_ID, "standin_server": address}))
    worker = pod.worker(SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE="0.5")
    assert worker.wait() == status
    assert said in worker.log


def test_a_worker_that_finds_the_server_of_another_scan(pod: Pod, queue: PixelQueue, serve: Serve) -> None:
    serve("dummy", "another-scan")
    worker = pod.worker()
    assert worker.wait() == 0
    assert "no such queue" in worker.log
    assert queue.collect(0.01) is None


def test_an_idle_worker_leaves_in_peace(pod: Pod, queue: PixelQueue, serve: Serve) -> None:
    serve("dummy")
    worker = pod.worker(SKYSCAN_MQ_TIMEOUT_TO_CLIENTS="0.2")
    assert worker.wait() == 0
    assert "Made 12 reconstructions" in worker.log


def test_a_worker_that_never_gets_work_leaves_in_peace(pod: Pod, serve: Serve, queue: PixelQueue) -> None:
    while queue.lease("a hog", wait=0):
        pass
    serve("dummy")
    worker = pod.worker(SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE="0.2")
    assert worker.wait() == 0
    assert "Made 0 reconstructions" in worker.log


def test_a_worker_leaves_when_the_scan_is_over(pod: Pod, queue: PixelQueue, serve: Serve) -> None:
    server = serve("dummy")
    worker = pod.worker()
    for _ in range(12):
        assert queue.collect(DEADLINE)
    queue.close()
    assert worker.wait() == 0
    assert server.wait_until_workers_left(DEADLINE)


@pytest.mark.parametrize(
    ("algorithm", "environment", "complaint"),
    [
        ("crash_dummy", {"SKYSCAN_CRASH_DUMMY_PROBABILITY": "1", "EWMS_PILOT_TASK_TIMEOUT": "0.2"}, ""),
        ("dummy", {"SKYSCAN_STANDIN_PIXEL_SECONDS": "60", "EWMS_PILOT_TASK_TIMEOUT": "0.2"}, "longer than"),
    ],
)
def test_a_failed_worker_hands_back_its_work_and_says_so(
    pod: Pod,
    queue: PixelQueue,
    serve: Serve,
    algorithm: str,
    environment: dict[str, str],
    complaint: str,
) -> None:
    serve(algorithm)
    worker = pod.worker(EWMS_PILOT_QUARANTINE_TIME="0.1", **environment)
    assert worker.wait() == 1
    assert complaint in worker.log
    assert "quarantine" in worker.log
    again = queue.lease("another", wait=DEADLINE)
    assert again is not None and again.reco == RecoId(1, 0, 0)


def test_work_of_a_killed_worker_is_done_by_another(pod: Pod, queue: PixelQueue, serve: Serve) -> None:
    serve("dummy")
    doomed = pod.worker(SKYSCAN_STANDIN_PIXEL_SECONDS="600")
    deadline = time.monotonic() + DEADLINE
    while queue.in_work == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    doomed.popen.kill()
    pod.worker()
    recos = {reco.id for _ in range(12) if (reco := queue.collect(DEADLINE))}
    assert recos == {RecoId(1, ipix, 0) for ipix in range(12)}
