import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from skydriver.standin.recos import Fit, Reco, RecoId
from skydriver.standin.surface import Surface
from skydriver.standin.v4.messages import (
    BadMessage,
    PixelTask,
    read_answer,
    read_pixel,
    write_answer,
    write_pixel,
)

RECO = RecoId(8, 93, 2)
TASK = PixelTask("millipede_wilks", RECO, 7, 1.5, -0.5, Surface(1.0, 0.5, 0.01, 0.02, 1e3, 1e5, 0.1), 0.5)
FIT = Fit(3426.25, 21000.0, None)


def test_pixels_and_answers_are_read_as_they_were_written() -> None:
    assert read_pixel(through_json(write_pixel(TASK, "2021a"))) == TASK
    assert read_answer(through_json(write_answer(RECO, FIT, 2.0)), 10.0) == Reco(RECO, FIT, 8.0, 2.0)


def test_messages_have_the_real_ones_keys_and_kinds(shared: Path) -> None:
    folder = shared / "data" / "scanner-v4" / "reco_pixel_single" / "millipede_wilks" / "BRONZE"
    for name, message in (("in", write_pixel(TASK, "2021a")), ("out", write_answer(RECO, FIT, 2.0))):
        real = json.loads((folder / f"{name}.json").read_text())
        assert {key: type(value) for key, value in message.items()} == {
            key: type(value) for key, value in real.items()
        }


def test_a_frame_tells_its_pixel_without_unpickling() -> None:
    frame = base64.b64decode(write_pixel(TASK, "")["pframe_pkl_b64"], validate=True)
    assert b"SCAN_nside0008_pixel0093_posvar0002" in frame
    assert b"stand-in" in frame


@pytest.mark.parametrize(
    "content",
    [
        base64.b64encode(pickle.dumps({"nside": 8}, protocol=4)).decode(),
        base64.b64encode(b'{"nside": 8}').decode(),
        base64.b64encode(b"[]").decode(),
        "!",
        None,
    ],
)
def test_what_no_stand_in_wrote_is_refused(content: Any) -> None:
    with pytest.raises(BadMessage):
        read_pixel({**write_pixel(TASK, ""), "pframe_pkl_b64": content})
    with pytest.raises(BadMessage):
        read_answer({"reco_pixel_variation_pkl_b64": content, "runtime": 1.0}, 0.0)


@pytest.mark.parametrize("key", ["reco_algo", "pframe_pkl_b64"])
def test_a_pixel_that_lacks_something_is_refused(key: str) -> None:
    message = write_pixel(TASK, "")
    del message[key]
    with pytest.raises(BadMessage, match=key):
        read_pixel(message)


@pytest.mark.parametrize("changes", [{"runtime": None}, {"runtime": float("nan")}])
def test_an_answer_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        read_answer({**write_answer(RECO, FIT, 2.0), **changes}, 0.0)


def test_a_likelihood_is_never_missing() -> None:
    with pytest.raises(BadMessage):
        read_answer(write_answer(RECO, FIT._replace(llh=float("nan")), 2.0), 0.0)


def through_json(message: dict[str, Any]) -> Any:
    return json.loads(json.dumps(message))
