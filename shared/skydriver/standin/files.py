"""The files that the server leaves: startup.json for the workers, and the result if asked for."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skydriver.standin import reports
from skydriver.standin.event import Event

PIXEL_TYPE = [(name, np.int64 if name == "index" else np.float64) for name in reports.COLUMNS]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file so that no reader ever sees half of it."""
    text = json.dumps(content, allow_nan=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def startup(scan_id: str, event: Event, pixel_server: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What workers must know: the real scanner's four members, the stand-in's queue, and its pace."""
    return {
        "scan_id": scan_id,
        "mq_basename": scan_id,
        "baseline_GCD_file": None,
        "GCDQp_packet": {"frames": event.frames},
        "standin_server": pixel_server,
        "standin_environment": dict(environment),
    }


def make_staging_folder() -> None:
    """Make the folder for downloaded GCD files, as the real scanner does, whether one is needed or not.

    Raises:
        OSError: the working folder is not writable.
    """
    Path(os.environ.get("EWMS_TASK_DATA_HUB_DIR", "."), "data-staging-cache").mkdir(exist_ok=True)


def note_event(cache_dir: Path, event: Event) -> None:
    """Make the event's folder in the cache, with what was read of the event in it."""
    folder = cache_dir / event.name
    folder.mkdir(exist_ok=True)
    write_json(folder / "event.json", event.metadata())


class FileSink:
    """Writes reports to a folder: the last progress always, the result at the end."""

    def __init__(self, folder: Path, event: Event) -> None:
        """Write to an existing folder."""
        self._folder = folder
        self._event = event

    def progress(self, body: dict[str, Any], final: bool) -> None:
        """Write ``scan-manifest.json`` anew."""
        write_json(self._folder / "scan-manifest.json", body)

    def result(self, body: dict[str, Any], final: bool) -> None:
        """Write the final result as JSON and in numpy's format, both as skyreader reads and names them."""
        if not final:
            return
        result = body["skyscan_result"]
        nsides = "_".join(str(part["metadata"]["nside"]) for part in result.values())
        stem = f"{self._event.name}_{nsides}"
        write_json(self._folder / f"{stem}.json", result)
        write_npz(self._folder / f"{stem}.npz", result)


def write_npz(path: Path, result: Mapping[str, Any]) -> None:
    """Write a serialised result in numpy's format: an array for each nside, and their metadata as header."""
    arrays = {name: _pixels(part["data"]) for name, part in result.items()}
    metadata = [part["metadata"] for part in result.values()]
    header_type = [
        (key, f"U{len(value)}" if isinstance(value, str) else type(value))
        for key, value in metadata[0].items()
        if value is not None
    ]
    header = np.array([tuple(entry[key] for key, _ in header_type) for entry in metadata], header_type)
    np.savez(path, allow_pickle=False, header=header, **arrays)


def _pixels(rows: Iterable[Sequence[Any]]) -> npt.NDArray[np.void]:
    numbers = (tuple(np.nan if value == reports.NO_NUMBER else value for value in row) for row in rows)
    return np.array(list(numbers), PIXEL_TYPE)
