"""Found scans as a CSV file (RFC 4180) that a spreadsheet can open without harm."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

from skydriver.ui.words import iso

COLUMNS = (
    *("scan_id", "asked_for", "run_id", "event_id", "event_type", "is_real_event", "phase", "outcome"),
    *("reason_code", "reason", "priority", "submitted_by", "classifiers", "is_deleted"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def csv_response(batches: AsyncIterator[list[dict[str, Any]]]) -> Response:
    """Answer with the table, written as scans are found.

    Raises:
        InvalidArguments: the search took too long.
    """
    first: list[dict[str, Any]] = await anext(batches, [])

    async def pieces() -> AsyncIterator[str]:
        yield _lines([COLUMNS])
        yield _lines(map(row, first))
        async for batch in batches:
            yield _lines(map(row, batch))

    headers = {
        "Content-Disposition": 'attachment; filename="scans.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(pieces(), media_type="text/csv; charset=utf-8", headers=headers)


def row(scan: Mapping[str, Any]) -> list[str]:
    """Write a scan as the cells of a row."""
    event = scan.get("event_metadata") or {}
    values = {
        **scan,
        **event,
        "asked_for": iso(scan["timestamp"]),
        "classifiers": "; ".join(f"{name}={value}" for name, value in scan["classifiers"].items()),
    }
    return [_cell(values.get(name)) for name in COLUMNS]


def _cell(value: Any) -> str:
    """Write a value; a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _lines(rows: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
