"""Settings, files and questions of the server since v4, and its client."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from skydriver.standin.event import Event
from skydriver.standin.kill_switch import stopped_since_v4
from skydriver.standin.recos import RecoId
from skydriver.standin.settings import SettingsError
from skydriver.standin.skydriver_api import CallError
from skydriver.standin.surface import Surface, evaluate
from skydriver.standin.v4 import client
from skydriver.standin.v4.messages import PixelTask, read_answer, write_pixel
from skydriver.standin.v4.queue import BrokerError, Profile, read_profiles
from skydriver.standin.v4.server import startup, wait_for_workers
from skydriver.standin.v4.settings import Settings

NEEDED = {"SKYSCAN_SKYDRIVER_SCAN_ID": "5d2e", "SKYSCAN_EWMS_JSON": "/etc/ewms.json"}
TASK = PixelTask(
    "millipede_wilks", RecoId(1, 8, 0), 1, 1.5, -0.5, Surface(1.0, 0.5, 0.1, 0.1, 1e3, 1e5, 0), 0
)


def test_defaults_are_the_real_servers() -> None:
    settings = Settings.from_environment(NEEDED)
    assert (settings.progress_interval, settings.result_interval, settings.kill_switch_interval) == (
        60,
        120,
        300,
    )
    assert (settings.reco_timeout, settings.prefetch, settings.address, settings.mini_test) == (
        7200,
        300,
        "",
        False,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"SKYSCAN_EWMS_JSON": "x"},
        {"SKYSCAN_SKYDRIVER_SCAN_ID": "x"},
        {**NEEDED, "SKYSCAN_PROGRESS_INTERVAL_SEC": "1.5"},
        {**NEEDED, "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS": "0"},
        {**NEEDED, "SKYSCAN_STANDIN_PIXEL_SECONDS": "-1"},
    ],
)
def test_environments_that_make_no_sense(environment: Mapping[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environment(environment)


def test_any_text_makes_a_mini_test() -> None:
    assert Settings.from_environment({**NEEDED, "_SKYSCAN_CI_MINI_TEST": "false"}).mini_test


def test_the_startup_file_has_the_real_ones_two_members(sample: Event, shared: Path) -> None:
    folder = shared / "data" / "scanner-v4" / "reco_pixel_single" / "millipede_wilks" / "BRONZE"
    real = json.loads((folder / "startup.json").read_text())
    ours = startup(sample)
    # These reference files are of the era before: the real one now writes these two alone.
    assert list(ours) == ["baseline_GCD_file", "GCDQp_packet"]
    assert Path(ours["baseline_GCD_file"]).parent == Path(real["baseline_GCD_file"]).parent
    stops = [stop for stop, _ in real["GCDQp_packet"]["frames"]]
    assert [stop for stop, _ in ours["GCDQp_packet"]["frames"]] == stops


def test_queues_are_read_from_their_file(tmp_path: Path) -> None:
    profile = {"name": "to", "auth_token": "t", "broker_type": "rabbitmq", "broker_address": "mq/x"}
    content: dict[str, Any] = {
        "toclient": {**profile, "more": 1},
        "fromclient": {**profile, "name": "from"},
        "else": {},
    }
    path = tmp_path / "ewms.json"
    path.write_text(json.dumps(content))
    assert read_profiles(path) == (
        Profile("to", "t", "rabbitmq", "mq/x"),
        Profile("from", "t", "rabbitmq", "mq/x"),
    )
    del content["fromclient"]["auth_token"]
    path.write_text(json.dumps(content))
    with pytest.raises(BrokerError, match="auth_token"):
        read_profiles(path)


def test_workers_are_waited_for() -> None:
    answers: list[Any] = [{"n_running": 0}, {"n_running": 0}, {"n_running": 3}]
    pauses: list[float] = []
    wait_for_workers(lambda: answers.pop(0), 30, pauses.append)
    assert (answers, pauses) == ([], [30, 30])


@pytest.mark.parametrize("answer", [None, {}, []])
def test_an_answer_that_is_no_workforce_ends_the_server(answer: Any) -> None:
    with pytest.raises(CallError):
        wait_for_workers(lambda: answer, 30, lambda _: None)


@pytest.mark.parametrize(
    ("status", "is_stopped"),
    [
        ({"is_deleted": False, "ewms_deactivated": None}, False),
        ({"is_deleted": False, "ewms_deactivated": "ABORTED"}, True),
        ({"is_deleted": True, "ewms_deactivated": None}, True),
        ({"scan_state": "STOPPED__ABORTED"}, False),
        (None, False),
    ],
)
def test_the_kill_switch_looks_at_other_keys_than_before(status: Any, is_stopped: bool) -> None:
    assert (stopped_since_v4(status) is not None) == is_stopped


class Pixel:
    """The client's files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.infile, self.outfile, self.startup = (
            folder / name for name in ("in.json", "out.json", "s.json")
        )
        self.infile.write_text(json.dumps(write_pixel(TASK, "")))
        self.startup.write_text(json.dumps({"baseline_GCD_file": "x.i3", "GCDQp_packet": {"frames": []}}))

    def run(self) -> int:
        files = (("infile", self.infile), ("outfile", self.outfile), ("client-startup-json", self.startup))
        return client.main([word for name, path in files for word in (f"--{name}", str(path))])


@pytest.fixture
def pixel(tmp_path: Path) -> Pixel:
    return Pixel(tmp_path)


def test_a_pixel_is_done(pixel: Pixel) -> None:
    assert pixel.run() == 0
    reco = read_answer(json.loads(pixel.outfile.read_text()), 0.0)
    assert reco.id == TASK.reco
    assert reco.fit == evaluate(TASK.surface, TASK.algorithm, TASK.reco, 1, TASK.ra, TASK.dec)
    assert (pixel.outfile.parent / "nside000001" / "pix000000000008.i3").is_file()


def test_an_answer_is_never_written_over(pixel: Pixel, capsys: pytest.CaptureFixture[str]) -> None:
    pixel.outfile.write_text("an answer")
    assert pixel.run() == 1
    assert "already" in capsys.readouterr().err
    assert pixel.outfile.read_text() == "an answer"


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("infile", None, "No such file"),
        ("infile", {"reco_algo": "dummy"}, "pframe_pkl_b64"),
        ("startup", {"baseline_GCD_file": None, "GCDQp_packet": {}}, "baseline_GCD_file"),
        ("startup", {"baseline_GCD_file": "x.i3"}, "GCDQp_packet"),
    ],
)
def test_files_that_make_no_sense(
    file: str, content: Any, complaint: str, pixel: Pixel, capsys: pytest.CaptureFixture[str]
) -> None:
    path: Path = getattr(pixel, file)
    path.unlink() if content is None else path.write_text(json.dumps(content))
    assert pixel.run() == 1
    assert complaint in capsys.readouterr().err
    assert not pixel.outfile.exists()


def test_crash_dummy_fails_at_times(
    pixel: Pixel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pixel.infile.write_text(json.dumps(write_pixel(TASK._replace(algorithm="crash_dummy"), "")))
    monkeypatch.setenv(client.CRASH_PROBABILITY, "0")
    assert pixel.run() == 0
    pixel.outfile.unlink()
    monkeypatch.setenv(client.CRASH_PROBABILITY, "1")
    monkeypatch.setattr(random, "random", lambda: 0.4)
    assert pixel.run() == 1
    assert "crash_dummy failed" in capsys.readouterr().err
