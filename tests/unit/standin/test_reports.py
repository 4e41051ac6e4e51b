"""The bodies of the reports, compared with those in the scanner fact sheet (section 2)."""

import json
import time
from typing import Any

import pytest

from skydriver.standin import reports
from skydriver.standin.event import Event
from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Fit, Pixel, Reco, RecoId
from skydriver.standin.refinement import Progression

NOON = time.mktime((2024, 6, 18, 12, 0, 0, 0, 0, -1))
SCAN_ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"
METADATA = {
    "event_metadata": {
        "run_id": 130033,
        "event_id": 50579430,
        "event_type": "EHE",
        "mjd": 58018.87118553241,
        "is_real_event": True,
        "version": 1,
    },
    "scan_metadata": {
        "scan_id": SCAN_ID,
        "nside_progression": {"8": 0, "64": 12, "512": 24},
        "position_variations": 1,
    },
}


@pytest.fixture
def facts(sample: Event) -> reports.ScanFacts:
    progression = Progression.parse(["8:0", "64:12", "512:24"])
    return reports.ScanFacts(SCAN_ID, sample, progression, 1, 1.0, NOON)


def ledger_with(back: int, variations: int = 1, pixels: int = 768) -> Ledger:
    """The first round sent at noon; from 12:01:26 on, three reconstructions have come back each second."""
    ledger = Ledger(variations)
    for n, reco in enumerate(ledger.send([Pixel(8, ipix) for ipix in range(pixels)], NOON)[:back]):
        fit = Fit(1000.0 + reco.ipix, 21000.0, 29000.0)
        ledger.receive(Reco(reco, fit, NOON + 46 + n, 36.0 + n % 3), NOON + 86 + n / 3)
    return ledger


def test_progress_at_the_start(facts: reports.ScanFacts) -> None:
    assert reports.progress_body(facts, Ledger(1), NOON, "has started up") == {
        "progress": {
            "summary": "The Skymap Scanner has started up. (stand-in)",
            "epilogue": "",
            "tallies": {
                "nsides": {
                    "8": unsent(768),
                    "64": unsent(768),
                    "512": unsent(1536),
                },
                "total pixels": 0,
                "total recos": 0,
                "est. scan percent": "0/3072 (0.0000)",
                "est. scan timeline": {},
            },
            "processing_stats": {
                "start": {"scanner start": "2024-06-18 12:00:00"},
                "runtime": {"elapsed": "0:00:00"},
            },
            "predictive_scanning_threshold": 1.0,
            "last_updated": "2024-06-18 12:00:00",
        },
        **METADATA,
    }


def unsent(pixels: int) -> dict[str, Any]:
    text = f"N/A ({pixels} predicted)"
    return {"done": 0, "est. percent": text, "est. percent (recos)": text}


def test_progress_in_mid_scan(facts: reports.ScanFacts) -> None:
    now = NOON + 328.2
    body = reports.progress_body(facts, ledger_with(675), now, "is busy scanning pixels", "Later.")
    assert {key: body[key] for key in METADATA} == METADATA
    progress = body["progress"]
    assert progress["summary"] == "The Skymap Scanner is busy scanning pixels. (stand-in)"
    assert progress["epilogue"] == "Later."
    assert progress["last_updated"] == "2024-06-18 12:05:28"
    assert progress["tallies"] == {
        "nsides": {
            "8": {
                "done": 675,
                "est. percent": "675/768 (0.8789)",
                "est. percent (recos)": "675/768 (0.8789)",
            },
            "64": unsent(768),
            "512": unsent(1536),
        },
        "total pixels": 675,
        "total recos": 675,
        "est. scan percent": "675/3072 (0.2197)",
        "est. scan timeline": {"0.00033": "0:01:26", "0.1": "0:03:08", "0.2": "0:04:50"},
    }
    rate = {
        "worker time": {"mean": "0:00:37", "median": "0:00:37", "slowest": "0:00:38", "fastest": "0:00:36"},
        "round-trip time": {
            "mean": "0:03:18",
            "median": "0:03:18",
            "slowest": "0:05:10",
            "fastest": "0:01:26",
        },
        "wall time": {
            "start": "2024-06-18 12:00:00",
            "end": "2024-06-18 12:05:10",
            "runtime": "0:05:10",
            "mean reco": "0:00:00",
        },
    }
    assert progress["processing_stats"] == {
        "start": {
            "scanner start": "2024-06-18 12:00:00",
            "reco start (on server)": "2024-06-18 12:00:00",
            "reco start (on first worker)": "2024-06-18 12:00:46",
        },
        "runtime": {
            "elapsed": "0:05:28",
            "startup runtime": "0:00:00",
            "reco runtime (on server)": "0:05:28",
            "reco start delay (on first worker)": "0:00:46",
        },
        "rate": {"all recos": rate, "nside-8": rate},
        "predictions": {
            "time left": "0:19:25",
            "total runtime at finish": "0:24:53",
            "total # of reconstructions": 3072,
            "end": "2024-06-18 12:24:53",
        },
    }


def test_progress_at_the_end(facts: reports.ScanFacts) -> None:
    body = reports.progress_body(facts, ledger_with(768), NOON + 1337, "has finished", finished=True)
    stats = body["progress"]["processing_stats"]
    assert stats["end"] == "2024-06-18 12:22:17"
    assert stats["finished"] is True
    assert "predictions" not in stats
    timeline = body["progress"]["tallies"]["est. scan timeline"]
    marks = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 1.0]
    assert list(timeline) == ["0.00130", *map(str, marks)]
    assert body["progress"]["tallies"]["est. scan percent"] == "768/768 (1.0000)"


def test_variations_count_as_reconstructions(sample: Event) -> None:
    facts = reports.ScanFacts(SCAN_ID, sample, Progression.parse(["1:0", "2:12"]), 7, 1.0, NOON)
    body = reports.progress_body(facts, ledger_with(10, variations=7, pixels=12), NOON, "is busy")
    tallies = body["progress"]["tallies"]
    assert tallies["total recos"] == 10
    assert tallies["est. scan percent"] == "10/420 (0.0238)"
    assert tallies["nsides"]["2"] == {
        "done": 0,
        "est. percent": "N/A (48 predicted)",
        "est. percent (recos)": "N/A (336 predicted)",
    }
    assert body["scan_metadata"]["position_variations"] == 7


def test_prediction_grows_when_more_is_sent_than_expected(facts: reports.ScanFacts) -> None:
    ledger = ledger_with(768)
    ledger.send([Pixel(64, ipix) for ipix in range(900)], NOON)
    body = reports.progress_body(facts, ledger, NOON + 500, "is busy")
    assert body["progress"]["tallies"]["est. scan percent"] == "768/3204 (0.2397)"


def test_the_first_result_is_empty(sample: Event) -> None:
    assert reports.result_body(sample, Ledger(1), False) == {"skyscan_result": {}, "is_final": False}


def test_results(sample: Event) -> None:
    ledger = Ledger(1)
    ledger.send([Pixel(8, 93), Pixel(8, 7)], NOON)
    ledger.receive(
        Reco(RecoId(8, 93, 0), Fit(3426.2874470086476, 21000.0, 29000.0, 1.5, -2.5, 3.5, 9000.0), NOON, 1.0),
        NOON,
    )
    first = reports.result_body(sample, ledger, False)
    assert first == {
        "skyscan_result": {
            "nside-8": {
                "columns": ["index", "llh", "E_in", "E_tot", "X", "Y", "Z", "T"],
                "data": [[93, 3426.2874470086476, 21000.0, 29000.0, 1.5, -2.5, 3.5, 9000.0]],
                "metadata": {"nside": 8, "complete": False, **METADATA["event_metadata"]},
            }
        },
        "is_final": False,
    }
    ledger.receive(Reco(RecoId(8, 7, 0), Fit(3500.0, None, None), NOON, 1.0), NOON)
    last = reports.result_body(sample, ledger, True)
    assert last["is_final"] is True
    part = last["skyscan_result"]["nside-8"]
    assert part["metadata"]["complete"] is True
    assert part["data"][0] == [7, 3500.0, "<skyreader.nan>", "<skyreader.nan>", 0.0, 0.0, 0.0, 0.0]


def test_bodies_are_strict_json(facts: reports.ScanFacts, sample: Event) -> None:
    ledger = ledger_with(675)
    json.dumps(reports.progress_body(facts, ledger, NOON + 100, "is busy"), allow_nan=False)
    json.dumps(reports.result_body(sample, ledger, False), allow_nan=False)
