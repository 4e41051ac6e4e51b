from typing import Any

import pytest

from skydriver.standin import reports
from skydriver.standin.event import Event
from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Fit, Pixel, Reco, RecoId
from skydriver.standin.refinement import Progression
from skydriver.standin.reporter import Reporter, SkyDriverSink
from skydriver.standin.skydriver_api import CallError


class Book:
    """A sink that notes what it is given: a report's kind, and its summary or number of nsides."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, Any]] = []
        self.epilogues: list[str] = []

    def progress(self, body: dict[str, Any], final: bool) -> None:
        said = body["progress"]["summary"].removeprefix("The Skymap Scanner ").removesuffix(". (stand-in)")
        self.notes.append(("PATCH", said))
        self.epilogues.append(body["progress"]["epilogue"])
        assert final == bool(body["progress"]["processing_stats"].get("finished"))

    def result(self, body: dict[str, Any], final: bool) -> None:
        self.notes.append(("PUT", len(body["skyscan_result"])))
        assert final == body["is_final"]


class Setting:
    def __init__(self, event: Event) -> None:
        self.now = 1000.0
        self.book = Book()
        self.ledger = Ledger(1)
        self.ledger.send([Pixel(8, ipix) for ipix in range(768)], self.now)
        facts = reports.ScanFacts("abc", event, Progression.parse(["8:0", "64:12"]), 1, 1.0, self.now)
        self.reporter = Reporter(facts, self.ledger, [self.book], 60, 120, clock=lambda: self.now)

    def receive(self, nside: int, ipix: int) -> None:
        first = nside not in self.ledger.times
        self.ledger.receive(Reco(RecoId(nside, ipix, 0), Fit(1.0, 1.0, 1.0), self.now, 1.0), self.now)
        self.reporter.received(first)

    def take(self) -> list[tuple[str, Any]]:
        notes, self.book.notes = self.book.notes, []
        return notes


@pytest.fixture
def setting(sample: Event) -> Setting:
    return Setting(sample)


def test_the_order_of_reports(setting: Setting) -> None:
    setting.reporter.started()
    assert setting.take() == [("PATCH", "has started up")]

    setting.reporter.sent_out(768)
    waiting = "has sent out 768 pixels and is waiting to receive recos"
    assert setting.take() == [("PATCH", waiting), ("PUT", 0)]
    assert setting.book.epilogues[-1] == "I will report back when I start getting recos."

    setting.receive(8, 0)
    assert setting.take() == [("PATCH", "is busy scanning pixels"), ("PUT", 1)]
    assert setting.book.epilogues[-1] == "I will report back again in 60 seconds if I have an update."

    setting.ledger.send([Pixel(64, 0)], setting.now)
    setting.receive(64, 0)
    assert setting.take() == [("PATCH", "is busy scanning pixels"), ("PUT", 2)]

    setting.reporter.sent_out(0)
    assert setting.take() == [("PATCH", "is waiting to receive recos"), ("PUT", 2)]

    setting.reporter.finished()
    assert setting.take() == [("PUT", 2), ("PATCH", "has finished")]
    assert setting.book.epilogues[-1] == ""


def test_reports_wait_for_their_interval(setting: Setting) -> None:
    setting.receive(8, 0)
    setting.take()
    for ipix, (passed, due) in enumerate(
        [(1, []), (59, []), (1, ["PATCH"]), (59, []), (1, ["PUT"]), (1, ["PATCH"])], start=1
    ):
        setting.now += passed
        setting.receive(8, ipix)
        assert [kind for kind, _ in setting.take()] == due


class FailingClient:
    """Stands for a client whose SkyDriver is out of reach."""

    def __init__(self) -> None:
        self.calls = 0

    def patch_manifest(self, body: dict[str, Any]) -> None:
        self.calls += 1
        raise CallError("out of reach")

    put_result = patch_manifest


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> tuple[FailingClient, FailingClient]:
    monkeypatch.setattr("skydriver.standin.reporter.Client", FailingClient)
    return FailingClient(), FailingClient()


def test_failures_in_mid_scan_are_dropped_and_logged(
    clients: tuple[FailingClient, FailingClient], caplog: pytest.LogCaptureFixture
) -> None:
    patient, urgent = clients
    sink = SkyDriverSink(patient, urgent)  # type: ignore[arg-type]
    sink.progress({}, final=False)
    sink.result({}, final=False)
    assert (patient.calls, urgent.calls) == (2, 0)
    assert caplog.text.count("was dropped") == 2


def test_failures_at_the_end_are_fatal(clients: tuple[FailingClient, FailingClient]) -> None:
    patient, urgent = clients
    sink = SkyDriverSink(patient, urgent)  # type: ignore[arg-type]
    with pytest.raises(CallError):
        sink.result({}, final=True)
    with pytest.raises(CallError):
        sink.progress({}, final=True)
    assert (patient.calls, urgent.calls) == (0, 2)
