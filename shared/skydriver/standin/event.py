"""What the scanner must know of an event, read from its realtime JSON without loading any pickle.

Two formats are in use. The newer one (2021a, 2023a, 2024a) names run, event, time and the online
reconstructions as plain fields of ``value.data``. The older one (2016-17) holds only five frames,
``[[stop, blob], ...]``, where a blob is base64 of zlib of a pickled frame object. The pickle is
untrusted input and is never loaded: its opcodes are walked, and the longest string among their
arguments is the frame in icetray's own serialisation, in which the event header is found.
"""

import base64
import binascii
import logging
import math
import pickletools
import random
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from skydriver.standin.coordinates import Direction, to_equatorial

logger = logging.getLogger(__name__)

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
RESULT_VERSION = 1
"""Of the result format, which skyreader (1.4 and later) keeps among an event's metadata."""
REAL_RUNS = range(100_000, 1_000_000)
"""Runs that a real event may have; skyreader refuses any other."""

EVENT_TYPES = {"hese": "HESE", "ehe": "EHE", "neutrino": "neutrino", "estres": "ESTRES"}
"""Event types by the name of their alert stream, in the order in which they are looked for."""

RECO_PREFERENCE = ("splinempe", "l2_online_bestfit", "spefit2")

DEFAULT_WIDTH = math.radians(0.5)
"""Angular error taken where the online reconstruction gives none, rad."""
WIDTHS = (math.radians(0.2), math.radians(10))
"""Angular errors are kept within these bounds, rad."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A frame that unpacks to more is refused; known ones have about 1 MB."""


class EventError(Exception):
    """The event cannot be scanned; the text says why."""


class OnlineFit(NamedTuple):
    """The online reconstruction, as far as the stand-in's likelihood needs it."""

    direction: Direction
    width_ra: float
    """One sigma along right ascension, on the sky, rad."""
    width_dec: float
    """One sigma along declination, rad."""
    llh: float | None
    energy: float | None
    """GeV."""
    derived: bool = False
    """Not reconstructed at all, but made from run and event number."""


class Event(NamedTuple):
    """An event ready to be scanned."""

    run_id: int
    event_id: int
    event_type: str | None
    mjd: float
    is_real_event: bool
    fit: OnlineFit
    frames: list[Any]
    """The ``[stop, blob]`` pairs as they came."""

    @property
    def name(self) -> str:
        """The name that the scanner's files and folders of this event carry."""
        return f"run{self.run_id:08d}.evt{self.event_id:012d}.{self.event_type}"

    def metadata(self) -> dict[str, Any]:
        """The ``event_metadata`` of every report."""
        return {
            "run_id": self.run_id,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "mjd": self.mjd,
            "is_real_event": self.is_real_event,
            "version": RESULT_VERSION,
        }


class Header(NamedTuple):
    """Which event, and when (modified Julian day, UTC)."""

    run_id: int
    event_id: int
    mjd: float


def decode(document: Any, is_real_event: bool) -> Event:
    """Read an event from its realtime JSON.

    Raises:
        EventError: if it is no such document, lacks run, event or time, or claims to be real with
            a run outside of `REAL_RUNS`.
    """
    data, frames = _payload(document)
    # As the scanner does: a field `eventtime` is cut to microseconds.
    header = _header_of_frames(frames) or _header_of_fields(data)
    if header is None:
        raise EventError("neither its fields nor its frames tell the event's run, number and time")
    if is_real_event and header.run_id not in REAL_RUNS:
        raise EventError(
            f"run {header.run_id} cannot be that of a real event:"
            f" it must be in [{REAL_RUNS.start}, {REAL_RUNS.stop})"
        )
    fit = _online_fit(data, header.mjd)
    if fit is None:
        fit = _derived_fit(header)
        logger.warning(
            "The event brings no online reconstruction: run and event number give the direction"
            " RA %.2f deg, Dec %+.2f deg",
            math.degrees(fit.direction.ra),
            math.degrees(fit.direction.dec),
        )
    event_type = _event_type(document, data)
    return Event(*header[:2], event_type, header.mjd, is_real_event, fit, frames)


def _payload(document: Any) -> tuple[Mapping[str, Any], list[Any]]:
    """The named fields (none in the old format) and the frames."""
    match document:
        case {"value": {"data": {"frames": list(frames)} as data}}:
            return data, frames
        case {"value": {"data": list(frames)}}:
            return {}, frames
    raise EventError("this is no realtime event: it holds neither value.data.frames nor a list value.data")


# -- run, event and time ------------------------------------------------------------------------------


def _header_of_fields(data: Mapping[str, Any]) -> Header | None:
    match data:
        case {"run_id": int() | str(), "event_id": int() | str(), "eventtime": str(eventtime)}:
            return Header(_whole("run_id", data), _whole("event_id", data), _mjd(eventtime))
    return None


def _whole(name: str, data: Mapping[str, Any]) -> int:
    """Read a number that some writers of events give as text."""
    try:
        return int(data[name])
    except ValueError as error:
        raise EventError(f"{name} {data[name]!r} is no whole number") from error


_LEAP_SECOND = re.compile(r"(?<=\d\d:\d\d:)60")


def _mjd(utc: str) -> float:
    # datetime knows no leap second: it is counted as in a day of 86,400 s, as the next day's first one.
    usual, leap = _LEAP_SECOND.subn("59", utc)
    try:
        moment = datetime.fromisoformat(usual) + timedelta(seconds=leap)
    except (ValueError, OverflowError) as error:
        raise EventError(f"eventtime {utc!r} is no date and time") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - MJD_EPOCH) / timedelta(days=1)


def _header_of_frames(frames: list[Any]) -> Header | None:
    for frame in reversed(frames):
        match frame:
            case ["P" | "Q", str(blob)]:
                try:
                    return find_header(frame_of_blob(blob))
                except EventError as error:
                    logger.info("No event header in frame %s: %s", frame[0], error)
    return None


def frame_of_blob(blob: str) -> bytes:
    """The serialised frame inside a blob, found by walking the pickle's opcodes, never by loading it.

    Raises:
        EventError: if the blob is not base64 of zlib of a pickle with a string in it.
    """
    try:
        unpacker = zlib.decompressobj()
        pickled = unpacker.decompress(base64.b64decode(blob, validate=True), MAX_FRAME_BYTES)
        if not unpacker.eof:
            raise EventError(f"the frame is cut or larger than {MAX_FRAME_BYTES} bytes")
        frame = max(_strings(pickled), key=len, default=b"")
    except (binascii.Error, zlib.error, ValueError) as error:
        raise EventError(f"the frame cannot be unpacked: {error}") from error
    if not frame:
        raise EventError("the frame is empty")
    return frame


def _strings(pickled: bytes) -> Iterator[bytes]:
    """All string arguments of a pickle's opcodes. Python 2 wrote bytes as text: latin-1 undoes that."""
    for _, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, bytes):
            yield argument
        elif isinstance(argument, str):
            try:
                yield argument.encode("latin-1")
            except UnicodeEncodeError:
                continue  # real text, no serialised frame


# How icetray's portable archive writes an I3EventHeader, little-endian: the class name (its length
# first), 6 bytes of class version and tracking, and a 6-byte prefix of the object. Then the fields:
# run, sub-run, event, state and sub-event as uint32, the sub-event stream (length, text), and the
# start time: a 10-byte prefix, int32 year, int64 tenths of a nanosecond since its begin.
_HEADER_CLASS = re.compile(
    rb"\x0d\0\0\0I3EventHeader" rb"\x01[\0-\xff]{5}" rb"\x01\0\x01\0\0\0" rb"(?P<numbers>[\0-\xff]{20})"
)
_NUMBERS = struct.Struct("<5I")
_LENGTH = struct.Struct("<I")
_TIME = struct.Struct("<10xiq")
_TENTHS_OF_NS = 10**10
"""In a second."""
_SECONDS_A_DAY = 86_400


def find_header(frame: bytes) -> Header:
    """Run, event and start time from a serialised frame.

    Raises:
        EventError: if it holds no event header.
    """
    found = _HEADER_CLASS.search(frame)
    if found is None:
        raise EventError("the frame holds no event header")
    run_id, _, event_id, _, _ = _NUMBERS.unpack(found["numbers"])
    try:
        (length,) = _LENGTH.unpack_from(frame, found.end())
        year, tenths = _TIME.unpack_from(frame, found.end() + _LENGTH.size + length)
        new_year = datetime(year, 1, 1, tzinfo=UTC)
    except (struct.error, ValueError) as error:
        raise EventError("the frame's event header is cut or of an unknown version") from error
    seconds, tenths = divmod(tenths, _TENTHS_OF_NS)
    days, seconds = divmod(seconds, _SECONDS_A_DAY)
    # In this order, that of icetray's I3Time, the last bit is that of the scanner's reports, too.
    day = (new_year - MJD_EPOCH).days + days
    return Header(run_id, event_id, day + (seconds + 0.1 * tenths / 1e9) / _SECONDS_A_DAY)


# -- type and direction -------------------------------------------------------------------------------


def _event_type(document: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """The type by the streams that the alert went to, else by its own section, else by the old varname."""
    streams = document["value"].get("streams") or ()
    for names in (streams, data):
        for name, event_type in EVENT_TYPES.items():
            if name in names:
                return event_type
    variable = str(document.get("varname", "")).lower()
    return next((kind for name, kind in EVENT_TYPES.items() if variable.startswith(name)), None)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _online_fit(data: Mapping[str, Any], mjd: float) -> OnlineFit | None:
    recos = data.get("reco")
    if not isinstance(recos, Mapping):
        return None
    for name in RECO_PREFERENCE:
        reco = recos.get(name)
        if not isinstance(reco, Mapping) or reco.get("fit_stat", 0) != 0:
            continue
        zenith, azimuth = _number(reco.get("zen")), _number(reco.get("azi"))
        if zenith is None or azimuth is None or not 0 <= zenith <= math.pi:
            continue
        return OnlineFit(
            to_equatorial(zenith, azimuth, mjd),
            _width(reco.get("cr_azi"), math.sin(zenith)),
            _width(reco.get("cr_zen"), 1.0),
            _number(reco.get("llh")),
            _energy(recos.get("energy")),
        )
    return None


def _width(error: Any, scale: float) -> float:
    width = _number(error)
    if width is None or width <= 0:
        return DEFAULT_WIDTH
    return min(max(width * scale, WIDTHS[0]), WIDTHS[1])


def _energy(estimates: Any) -> float | None:
    if not isinstance(estimates, Mapping):
        return None
    energies = (_number(estimates.get(name)) for name in ("spline_mue", "mpe_muex", "truncated"))
    return next((energy for energy in energies if energy is not None and energy > 0), None)


def _derived_fit(header: Header) -> OnlineFit:
    """A direction that is the same each time for a run and event, evenly spread over the sky."""
    dice = random.Random(f"{header.run_id}.{header.event_id}")  # noqa: S311 - dice, no secret
    direction = Direction(dice.uniform(0, 2 * math.pi), math.asin(dice.uniform(-1, 1)))
    return OnlineFit(direction, DEFAULT_WIDTH, DEFAULT_WIDTH, None, None, derived=True)
