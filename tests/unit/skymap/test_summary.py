"""The numbers of a map as JSON, its lines, and the draft of a notice."""

import json
import math
from typing import Any

import numpy as np
import pytest

from skydriver.errors import Unprocessable
from skydriver.skymap.definitions import Definition
from skydriver.skymap.notice import Notice, notice
from skydriver.skymap.probability import Skymap, skymap
from skydriver.skymap.result import Result
from skydriver.skymap.smoothing import smoothed
from skydriver.skymap.summary import contours, summary
from tests.support.skymaps import Surface, add, as_result, fisher, scanned, shared_result

WIDE = ((8, 0), (64, 12), (512, 24))


def mapped(sigma: float = 0.4, progression: Any = WIDE, **metadata: Any) -> Skymap:
    return skymap(Result.read(as_result(scanned(fisher(200.0, -30.0, sigma), progression), **metadata)))


def test_a_summary_is_plain_json_and_says_what_the_map_says() -> None:
    said = json.loads(json.dumps(summary(mapped(), final=True), allow_nan=False))
    assert said["event"] == {
        "run_id": 130033,
        "event_id": 50579430,
        "event_type": "EHE",
        "mjd": 58018.87118553241,
        "time_utc": "2017-09-22T20:54:30.430000",
        "is_real_event": True,
    }
    best = said["best_fit"]
    assert (best["ra"], best["dec"]) == pytest.approx((200.0, -30.0), abs=0.1)
    assert best["nside"] == 512
    assert said["nsides"]["8"] == {"pixels": 768, "without_likelihood": 0}
    assert list(said["nsides"]) == ["8", "64", "512"]
    assert said["llh"]["min"] == pytest.approx(1000.0, abs=0.1)
    assert said["scanned_fraction"] == 1.0
    assert list(said["definitions"]) == ["probability", "wilks"]
    for definition in said["definitions"].values():
        assert [region["level"] for region in definition["regions"]] == ["50", "90", "3sigma"]
    assert (said["resolved"], said["clipped"], said["final"]) == (True, False, True)
    assert said["coarser_minimum"] is None
    assert said["notes"] == []


def test_galactic_coordinates_are_astropys() -> None:
    from astropy import units
    from astropy.coordinates import SkyCoord

    best = summary(mapped(), final=True)["best_fit"]
    theirs = SkyCoord(best["ra"], best["dec"], unit=units.deg).galactic
    assert (best["l"], best["b"]) == pytest.approx((theirs.l.deg, theirs.b.deg), abs=1e-5)


def test_a_floor_moves_the_regions_of_probability_only() -> None:
    plain = skymap(Result.read(shared_result("GOLD_8_64_512")))
    said = summary(plain, floor_deg=0.2, final=True)
    without = summary(plain, final=True)
    assert said["definitions"]["wilks"] == without["definitions"]["wilks"]
    assert said["definitions"]["probability"]["floor_deg"] == 0.2
    assert said["best_fit"]["ra"] == pytest.approx(223.95, abs=0.01)
    assert said["definitions"]["wilks"]["best_fit"]["ra"] == pytest.approx(224.12, abs=0.01)


def test_notes_say_what_is_to_be_kept_in_mind() -> None:
    said = summary(mapped(0.15, is_real_event=False), final=False)
    assert {note["code"] for note in said["notes"]} == {"partial", "simulated", "few_pixels"}
    assert all(note["text"].endswith(".") for note in said["notes"])


def test_a_partial_result_is_told_in_words_that_are_true_of_a_scan_that_failed() -> None:
    (note,) = (note for note in summary(mapped(), final=False)["notes"] if note["code"] == "partial")
    assert note["text"] == "This result is partial: the scan had not finished when it came."
    with pytest.raises(Unprocessable, match="it is made of a final one only"):
        notice(mapped(), final=False)


def test_contours_are_closed_rings_in_degrees() -> None:
    made = mapped()
    said = json.loads(json.dumps(contours(made, Definition.WILKS), allow_nan=False))
    assert (said["definition"], said["frame"], said["unit"]) == ("wilks", "ICRS", "deg")
    for region in said["regions"]:
        (piece,) = region["rings"]
        ring = np.array(piece["outer"])
        assert piece["holes"] == []
        assert piece["outer"][0] == piece["outer"][-1]
        assert ring[:, 0].max() - said["best_fit"]["ra"] == pytest.approx(region["ra_err_plus"], abs=1e-5)
        assert said["best_fit"]["dec"] - ring[:, 1].min() == pytest.approx(region["dec_err_minus"], abs=1e-5)


def test_the_same_map_gives_the_same_json() -> None:
    assert json.dumps(summary(mapped(), final=True)) == json.dumps(summary(mapped(), final=True))
    assert json.dumps(contours(mapped())) == json.dumps(contours(mapped()))
    assert json.dumps(notice(mapped(), final=True)) == json.dumps(notice(mapped(), final=True))


FIELDS = {
    *("$schema", "mission", "instrument", "messenger", "pipeline", "record_number", "event_name", "id"),
    *("alert_datetime", "alert_type", "alert_tense", "alert_topology", "number_of_events", "ra", "dec"),
    *("ra_dec_error", "containment_probability", "systematic_included", "healpix_url", "trigger_time"),
    *("nu_energy", "p_astro", "far"),
}
"""What gcn.nasa.gov/missions/icecube asks for in a notice after the first one."""


def test_a_draft_has_what_is_known_and_names_all_else() -> None:
    made = mapped()
    draft = notice(made, final=True)
    known, missing = draft["notice"], {line["field"] for line in draft["missing"]}
    assert set(known) | missing == FIELDS
    assert not set(known) & missing
    assert None not in known.values()
    assert known["id"] == ["130033_50579430"]
    assert known["trigger_time"] == "2017-09-22T20:54:30.430000Z"
    assert known["ra_dec_error"] == pytest.approx(0.4 * math.sqrt(4.61), rel=0.02)
    assert all(line["why"] and line["hint"] for line in draft["missing"])
    assert draft["warnings"] == []
    Notice.model_validate(known)


def test_a_draft_of_a_simulated_event_is_a_test() -> None:
    draft = notice(mapped(is_real_event=False), final=True)
    assert draft["notice"]["alert_tense"] == "test"
    assert "alert_tense" not in {line["field"] for line in draft["missing"]}


def test_a_draft_takes_the_error_of_a_map_with_a_floor() -> None:
    made = smoothed(mapped(0.3), 0.2)
    error = notice(made, final=True)["notice"]["ra_dec_error"]
    assert error == pytest.approx(math.hypot(0.3, 0.2) * math.sqrt(4.61), rel=0.02)


def test_a_draft_of_a_region_around_a_pole_takes_all_of_its_breadth() -> None:
    """It is a zone at Dec 78: of any RA, and of 1.645 sigma to both sides."""
    scan: Any = {}
    add(scan, zone(78.0, 1.5), 64, range(12 * 64**2))
    error = notice(skymap(Result.read(as_result(scan))), final=True)["notice"]["ra_dec_error"]
    across, up = 180.0 * math.cos(math.radians(78.0)), 1.5 * 1.645
    assert error == pytest.approx(math.sqrt(across * up), rel=0.1)


def test_few_pixels_are_a_warning_beside_the_draft() -> None:
    (warning,) = notice(mapped(0.2), final=True)["warnings"]
    assert warning["code"] == "few_pixels"


def zone(dec_deg: float, sigma_deg: float) -> Surface:
    """All around a pole, at one Dec."""
    return lambda vectors: (np.degrees(np.arcsin(vectors[:, 2])) - dec_deg) ** 2 / (2.0 * sigma_deg**2)


def clipped() -> Skymap:
    scan: Any = {}
    disc = [pixel for pixel in range(12 * 64**2) if pixel % 4096 < 900]
    add(scan, fisher(200.0, 0.0, 5.0), 64, disc)
    return skymap(Result.read(as_result(scan)))


@pytest.mark.parametrize(
    ("made", "final", "sentence"),
    [
        (mapped, False, "partial result"),
        (lambda: mapped(mjd=None), True, "no time"),
        (lambda: mapped(run_id=None), True, "no run or number"),
        (lambda: mapped(1.0), True, "coarser pixels"),
        (lambda: mapped(0.02), True, "less than one pixel"),
        (clipped, True, "not scanned"),
        (lambda: mapped(100.0, ((8, 0),)), True, "over half of the sky"),
    ],
)
def test_there_is_no_draft_of_what_cannot_be_trusted(made: Any, final: bool, sentence: str) -> None:
    with pytest.raises(Unprocessable, match=sentence):
        notice(made(), final=final)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dec", 200.0),
        ("ra", 360.0),
        ("trigger_time", "yesterday"),
        ("ra_dec_error", 0.0),
        ("far", 1e-8),
        ("id", []),
    ],
)
def test_our_model_of_the_notice_refuses_what_gcns_schema_lets_pass(field: str, value: Any) -> None:
    from pydantic import ValidationError

    known = notice(mapped(), final=True)["notice"]
    with pytest.raises(ValidationError):
        Notice.model_validate(known | {field: value})
