import base64
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skydriver.standin.event import Event, decode
from tests.components import missing

ROOT = Path(__file__).resolve().parents[3]
SHARED_EVENTS = ROOT.parent / "shared" / "data" / "events"


@pytest.fixture
def sample_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "examples" / "IC170922A.json").read_text())
    return document


@pytest.fixture
def sample(sample_document: dict[str, Any]) -> Event:
    return decode(sample_document, is_real_event=True)


@pytest.fixture
def shared_event() -> Callable[[str], dict[str, Any]]:
    """The content of one of the real event files that lie beside the project."""

    def read(name: str) -> dict[str, Any]:
        path = SHARED_EVENTS / name
        if not path.is_file():
            missing("shared", f"there is no {path}")
        document: dict[str, Any] = json.loads(path.read_text())
        return document

    return read


@pytest.fixture
def serialised_header() -> Callable[..., bytes]:
    """A frame with an event header in it, as icetray's archive writes one."""

    def write(run: int, event: int, year: int, tenths: int, stream: bytes = b"InIceSplit") -> bytes:
        name = struct.pack("<I", 13) + b"I3EventHeader"
        return (
            b"[i3]\x05 some other key \x00"
            + name  # the key
            + (name + b"\x6d\0\0\0" + b"\0\x01\x02\0")  # the type, and the value's length
            + (name + b"\x01\x03\0\0\0\0" + b"\x01\0\x01\0\0\0")
            + struct.pack("<5I", run, 0, event, 20, 0)
            + struct.pack("<I", len(stream))
            + stream
            + b"\x01\0\x02\0\0\0\x03\0\0\0"
            + struct.pack("<iq", year, tenths)
            + b"whatever follows"
        )

    return write


@pytest.fixture
def blob() -> Callable[[bytes], str]:
    """Pack a pickle as frames are packed."""
    return lambda pickled: base64.b64encode(zlib.compress(pickled)).decode()
