"""The messages between server and client, and the client's files, which hold the same.

To a client: ``reco_algo``, ``realtime_format_version`` and ``pframe_pkl_b64``; back: ``runtime`` (seconds)
and ``reco_pixel_variation_pkl_b64``. The real scanner's ``*_pkl_b64`` are pickled objects of IceTray. A
stand-in's are JSON, which keeps the text that tells a frame's pixel: ``SCAN_nside0008_pixel0093_posvar0000``.

Used by the client, so it needs the standard library only.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from skydriver.standin.recos import Fit, Reco, RecoId, finite
from skydriver.standin.surface import Surface

STAND_IN = "made up by a stand-in for the Skymap Scanner"
"""What every ``*_pkl_b64`` of a stand-in says of itself."""
MAY_BE_MISSING = ("e_in", "e_tot")


class BadMessage(Exception):
    """A message is none of a stand-in's; the text says why."""


class PixelTask(NamedTuple):
    """A reconstruction to make; the pixel's centre in rad, and seconds that it shall take."""

    algorithm: str
    reco: RecoId
    variations: int
    ra: float
    dec: float
    surface: Surface
    seconds: float


def frame_name(reco: RecoId) -> str:
    """Name a reconstruction as the real scanner's frames do."""
    return f"SCAN_nside{reco.nside:04d}_pixel{reco.ipix:04d}_posvar{reco.variation:04d}"


def write_pixel(task: PixelTask, version: str) -> dict[str, Any]:
    """Write the message to a client; ``version`` is that of the event's format, or empty."""
    frame = {
        "frame": frame_name(task.reco),
        **task.reco._asdict(),
        "variations": task.variations,
        "ra": task.ra,
        "dec": task.dec,
        "surface": task.surface.to_json(),
        "seconds": task.seconds,
    }
    return {
        "reco_algo": task.algorithm,
        "realtime_format_version": version,
        "pframe_pkl_b64": _pack(frame),
    }


def read_pixel(message: Any) -> PixelTask:
    """Read a message to a client.

    Raises:
        BadMessage: it is none of a stand-in server's.
    """
    try:
        frame = _unpack(message["pframe_pkl_b64"])
        return PixelTask(
            str(message["reco_algo"]),
            _reco_id(frame),
            int(frame["variations"]),
            finite(frame["ra"]),
            finite(frame["dec"]),
            Surface.from_json(frame["surface"]),
            finite(frame["seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadMessage(f"the pixel lacks something: {type(error).__name__}: {error}") from error


def write_answer(reco: RecoId, fit: Fit, runtime: float) -> dict[str, Any]:
    """Write a client's answer; ``runtime`` in seconds."""
    outcome = {"frame": frame_name(reco), **reco._asdict(), "fit": fit._asdict()}
    return {"reco_pixel_variation_pkl_b64": _pack(outcome), "runtime": runtime}


def read_answer(message: Any, now: float) -> Reco:
    """Read a client's answer that came at ``now`` (epoch seconds).

    Raises:
        BadMessage: it is none of a stand-in client's.
    """
    try:
        outcome = _unpack(message["reco_pixel_variation_pkl_b64"])
        runtime = finite(message["runtime"])
        numbers = {
            name: None if value is None and name in MAY_BE_MISSING else finite(value)
            for name, value in outcome["fit"].items()
        }
        return Reco(_reco_id(outcome), Fit(**numbers), now - runtime, runtime)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadMessage(f"the answer lacks something: {type(error).__name__}: {error}") from error


def _reco_id(content: Mapping[str, Any]) -> RecoId:
    return RecoId(*(int(content[name]) for name in RecoId._fields))


def _pack(content: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps({"stand-in": STAND_IN, **content}).encode()).decode()


def _unpack(text: Any) -> dict[str, Any]:
    try:
        content = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise BadMessage("what should be a stand-in's JSON is none; pickles are not opened") from error
    if not isinstance(content, dict) or content.get("stand-in") != STAND_IN:
        raise BadMessage("this is no message of a stand-in")
    return content
