import base64
import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skydriver.standin import event as module
from skydriver.standin.event import EventError, decode, find_header, frame_of_blob

Read = Callable[[str], dict[str, Any]]


def test_sample_event_is_ic170922a(sample_document: dict[str, Any]) -> None:
    event = decode(sample_document, is_real_event=True)
    assert event.metadata() == {
        "run_id": 130033,
        "event_id": 50579430,
        "event_type": "EHE",
        "mjd": 58018.87118553241,
        "is_real_event": True,
        "version": 1,
    }
    assert event.name == "run00130033.evt000050579430.EHE"
    assert math.degrees(event.fit.direction.ra) == pytest.approx(77.43, abs=0.001)
    assert math.degrees(event.fit.direction.dec) == pytest.approx(5.72, abs=0.001)
    assert not event.fit.derived


def test_sample_event_says_that_it_has_no_real_frames(sample_document: dict[str, Any]) -> None:
    assert "SkyDriver's demo" in sample_document["service"]
    frames = sample_document["value"]["data"]["frames"]
    assert [stop for stop, _ in frames] == list("GCDQP")
    for _, packed in frames:
        assert zlib.decompress(base64.b64decode(packed)).startswith(b"Not a frame")


# The table in section 4 of the scanner fact sheet, and the MJD to the last bit: the first one is that of the
# scanner's reference result for this event, run00138632.evt000031747601.neutrino_1.json in its test data.
@pytest.mark.parametrize(
    ("name", "run", "number", "mjd", "kind"),
    [
        ("138632_31747601.json", 138632, 31747601, 60280.71416774572, "neutrino"),
        ("event_HESE_2017-11-28.json", 130322, 1414689, 58086.451842402865, "HESE"),
    ],
)
def test_real_events(shared_event: Read, name: str, run: int, number: int, mjd: float, kind: str) -> None:
    event = decode(shared_event(name), is_real_event=True)
    assert (event.run_id, event.event_id, event.event_type) == (run, number, kind)
    assert event.mjd == mjd
    assert [stop for stop, _ in event.frames] == list("GCDQP")


def test_the_frames_header_wins_over_the_fields(shared_event: Read) -> None:
    document = shared_event("138632_31747601.json")
    document["value"]["data"] |= {"eventtime": "2023-12-02 17:08:24", "event_id": 1}
    event = decode(document, is_real_event=True)
    assert (event.event_id, event.mjd) == (31747601, 60280.71416774572)
    # Frames without a header, as those of the example event, leave it to the fields.
    document["value"]["data"]["frames"] = [["P", "x"]]
    assert decode(document, is_real_event=True).event_id == 1


def test_a_pickle_is_walked_and_never_loaded(
    serialised_header: Callable[..., bytes], blob: Callable[[bytes], str], tmp_path: Path
) -> None:
    trace = tmp_path / "loaded"
    frame = serialised_header(127907, 16605651, 2016, 125 * 864_000_000_000_000)
    harmful = b"cos\nsystem\n(S'touch " + str(trace).encode() + b"'\ntR"
    pickled = b"\x80\x02" + harmful + b"T" + len(frame).to_bytes(4, "little") + frame + b"."
    document = {"varname": "heseEvent", "value": {"data": [["G", "x"], ["P", blob(pickled)]]}}

    event = decode(document, is_real_event=True)

    assert (event.run_id, event.event_id, event.mjd) == (127907, 16605651, 57388 + 125)
    assert event.event_type == "HESE"
    assert not trace.exists()


def test_python_3_pickles_hold_frames_as_bytes_or_text(
    serialised_header: Callable[..., bytes], blob: Callable[[bytes], str]
) -> None:
    frame = serialised_header(100001, 7, 2020, 0, stream=b"")
    as_bytes = b"\x80\x03B" + len(frame).to_bytes(4, "little") + frame + b"."
    text = frame.decode("latin-1").encode()
    as_text = b"\x80\x02X" + len(text).to_bytes(4, "little") + text + b"."
    for pickled in (as_bytes, as_text):
        assert find_header(frame_of_blob(blob(pickled)))[:2] == (100001, 7)


def test_the_header_may_be_in_the_q_frame(
    serialised_header: Callable[..., bytes], blob: Callable[[bytes], str]
) -> None:
    frame = serialised_header(100001, 7, 2020, 0)
    q = blob(b"\x80\x03B" + len(frame).to_bytes(4, "little") + frame + b".")
    p = blob(b"\x80\x03C\x01x.")
    assert decode({"value": {"data": [["Q", q], ["P", p]]}}, True).run_id == 100001


@pytest.mark.parametrize("packed", ["", "not base64!", base64.b64encode(b"not zlib").decode()])
def test_blobs_that_are_none(packed: str) -> None:
    with pytest.raises(EventError):
        frame_of_blob(packed)


def test_a_blob_that_unpacks_to_too_much_is_refused(
    monkeypatch: pytest.MonkeyPatch, blob: Callable[[bytes], str]
) -> None:
    monkeypatch.setattr(module, "MAX_FRAME_BYTES", 1000)
    with pytest.raises(EventError, match="larger than 1000 bytes"):
        frame_of_blob(blob(b"x" * 1001))


def test_a_cut_header_is_refused(serialised_header: Callable[..., bytes]) -> None:
    whole = serialised_header(100001, 7, 2020, 0)
    with pytest.raises(EventError):
        find_header(whole[:-24])
    with pytest.raises(EventError):
        find_header(b"nothing of the kind")


@pytest.mark.parametrize("document", [{}, [], None, "text", {"value": 1}, {"value": {"data": {}}}])
def test_what_is_no_event_is_refused(document: Any) -> None:
    with pytest.raises(EventError, match="no realtime event"):
        decode(document, is_real_event=False)


def test_an_event_without_numbers_is_refused() -> None:
    with pytest.raises(EventError, match="run, number and time"):
        decode({"value": {"data": {"frames": [["P", "%"]], "run_id": 1}}}, is_real_event=False)


def new_format(**fields: Any) -> dict[str, Any]:
    data = {"frames": [], "run_id": 130033, "event_id": 1, "eventtime": "2020-01-01 00:00:00", **fields}
    return {"value": {"data": data}}


@pytest.mark.parametrize(
    ("run", "fits"), [(99_999, False), (100_000, True), (999_999, True), (1_000_000, False)]
)
def test_only_some_runs_can_be_real(run: int, fits: bool) -> None:
    document = new_format(run_id=run)
    assert decode(document, is_real_event=False).run_id == run
    if fits:
        assert decode(document, is_real_event=True).is_real_event
    else:
        with pytest.raises(EventError, match=str(run)):
            decode(document, is_real_event=True)


@pytest.mark.parametrize(
    ("time", "mjd"), [("2020-01-01 12:00:00", 58849.5), ("2020-01-01T13:00:00+01:00", 58849.5)]
)
def test_event_time_is_utc_unless_it_says_otherwise(time: str, mjd: float) -> None:
    assert decode(new_format(eventtime=time), True).mjd == mjd


def test_a_leap_second_is_a_time() -> None:
    assert decode(new_format(eventtime="2016-12-31 23:59:60"), True).mjd == 57754
    assert decode(new_format(eventtime="2016-12-31 23:59:60.50"), True).mjd == 57754 + 0.5 / 86400


def test_numbers_may_come_as_text() -> None:
    event = decode(new_format(run_id="130033", event_id="50579430"), True)
    assert (event.run_id, event.event_id) == (130033, 50579430)
    with pytest.raises(EventError, match="run_id 'x' is no whole number"):
        decode(new_format(run_id="x"), True)


def test_an_event_time_that_is_none_is_refused() -> None:
    with pytest.raises(EventError, match="yesterday"):
        decode(new_format(eventtime="yesterday"), True)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"value": {"streams": ["hese", "ehe"]}}, "HESE"),
        ({"value": {"streams": ["estres"]}}, "ESTRES"),
        ({"varname": "eheEvent"}, "EHE"),
        ({"varname": "realtimeEventData"}, None),
    ],
)
def test_event_types(changes: dict[str, Any], kind: str | None) -> None:
    document = new_format()
    document["value"].update(changes.pop("value", {}))
    assert decode({**document, **changes}, True).event_type == kind


def test_event_type_by_its_own_section() -> None:
    assert decode(new_format(neutrino={"bdt_up": 0.2}), True).event_type == "neutrino"


def test_without_a_reconstruction_the_direction_is_derived_and_said_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, again = decode(new_format(), True), decode(new_format(), True)
    assert first.fit == again.fit
    assert first.fit.derived
    assert "run and event number give the direction" in caplog.text
    assert decode(new_format(event_id=2), True).fit.direction != first.fit.direction


def test_reconstructions_are_tried_in_turn() -> None:
    recos = {
        "splinempe": {"zen": 1.0, "azi": 1.0, "fit_stat": 30},
        "l2_online_bestfit": {"zen": None, "azi": 2.0},
        "spefit2": {"zen": 1.5, "azi": 2.0, "fit_stat": 0, "llh": 1195.6},
        "energy": {"spline_mue": 34674.0},
    }
    fit = decode(new_format(reco=recos), True).fit
    assert (fit.llh, fit.energy, fit.derived) == (1195.6, 34674.0, False)
    assert math.degrees(fit.width_dec) == pytest.approx(0.5)


def test_angular_errors_are_kept_within_bounds() -> None:
    reco = {"zen": math.pi / 2, "azi": 1.0, "cr_zen": 1e-6, "cr_azi": 3.0}
    fit = decode(new_format(reco={"splinempe": reco}), True).fit
    assert math.degrees(fit.width_dec) == pytest.approx(0.2)
    assert math.degrees(fit.width_ra) == pytest.approx(10)


def test_metadata_is_plain_json(sample_document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(decode(sample_document, True).metadata()))["run_id"] == 130033
