"""The arguments of `POST /scans/find`: a MongoDB filter, checked against what is allowed in one."""

import base64
import math
import re
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from skydriver.model.fields import Boolean, NoBool
from skydriver.model.json_text import INT64
from skydriver.model.manifest_projection import ProjectionArguments
from skydriver.store.scans.search import Position

MAX_LIMIT = 1000
MAX_DEPTH = 20
MAX_PATTERN = 200
MAX_STEPS = 100
"""Documents of more levels there are none (MongoDB's manual, "Limits and Thresholds")."""

OPERATORS = frozenset(
    [
        "$and",
        "$or",
        "$nor",
        "$not",
        "$eq",
        "$ne",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$in",
        "$nin",
        "$all",
        "$exists",
        "$size",
        "$type",
        "$mod",
        "$elemMatch",
        "$regex",
        "$options",
    ]
)
"""What a filter may use (names as in the MongoDB manual, "Query Predicates"): nothing that runs code."""

_SEARCHABLE = re.compile(
    r"(scan_id|timestamp|is_deleted|scanner_server_args|priority|i3_event_id|ewms_task"
    r"|event_i3live_json_dict__hash|event_metadata|scan_metadata|progress|last_updated|phase|attempt|outcome"
    r"|reason|reason_code"
    r"|submitted_by|replaced_by_scan_id|ewms_workflow_id|ewms_address)(\..+)?"
    r"|classifiers(\..*)?",
    re.DOTALL,
)


def check_filter(condition: dict[str, Any]) -> dict[str, Any]:
    """Check a filter.

    Raises:
        ValueError: it uses an operator that is not allowed, asks for a field that manifests have not, is
            nested too deep, or holds a number that the database cannot, or a regular expression that is too
            long. Whether one is valid, the database says: it speaks PCRE, which `re` does not.
    """
    _check(condition, depth=0, fields=True)
    return condition


def _check(value: Any, *, depth: int, fields: bool) -> None:
    """Check a part of a filter; `fields` tells whether names in it are manifest fields."""
    if depth > MAX_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        for item in value:
            _check(item, depth=depth + 1, fields=fields)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if "\0" in key:
                raise ValueError("names must not hold a null character")
            if key.count(".") >= MAX_STEPS:
                raise ValueError(f"names must not have more than {MAX_STEPS} parts")
            if key.startswith("$"):
                if key not in OPERATORS:
                    raise ValueError(
                        f"the operator '{key}' is not allowed; allowed are: {', '.join(sorted(OPERATORS))}"
                    )
                if key == "$regex":
                    _check_pattern(inner)
                _check(inner, depth=depth + 1, fields=fields and key in ("$and", "$or", "$nor"))
            elif fields and not _SEARCHABLE.fullmatch(key):
                raise ValueError(f"manifests have no field '{key}' to search by")
            else:
                _check(inner, depth=depth + 1, fields=False)
    elif isinstance(value, int) and value not in INT64:
        raise ValueError("whole numbers must fit into 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")


def _check_pattern(pattern: Any) -> None:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise ValueError(f"'$regex' must be a string of {MAX_PATTERN} characters at most")


def write_cursor(position: Position) -> str:
    """Make the text that asks for what comes after a position."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode()


def _read_cursor(text: Any) -> Any:
    try:
        time, scan_id = orjson.loads(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, TypeError, AttributeError):
        raise ValueError("must be the 'cursor' of an earlier answer") from None
    return float(time) if isinstance(time, int) else time, scan_id


class FindArguments(ProjectionArguments):
    """The arguments of `POST /scans/find`."""

    filter: Annotated[dict[str, Any], AfterValidator(check_filter)] = Field(
        description="a MongoDB filter on manifests; operators: " + ", ".join(sorted(OPERATORS)),
        examples=[{"event_metadata.run_id": 130033, "event_metadata.event_id": 50579430}],
    )
    include_deleted: Boolean = Field(
        False, description="also deleted scans; overridden by an `is_deleted` in the filter"
    )
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), NoBool] | None = Field(
        None, description="answer a page of this many manifests at most, the newest first, and a cursor"
    )
    cursor: Annotated[Position, BeforeValidator(_read_cursor, json_schema_input_type=str)] | None = Field(
        None, description="the page after the one whose answer had this `cursor`; needs a limit"
    )

    @field_validator("cursor")
    @classmethod
    def _needs_limit(cls, value: Position | None, info: ValidationInfo) -> Position | None:
        if value is not None and info.data.get("limit") is None:
            raise ValueError("needs a limit, too")
        return value

    @property
    def condition(self) -> dict[str, Any]:
        """The filter, without deleted scans unless they are asked for in one way or the other."""
        if self.include_deleted or "is_deleted" in self.filter:
            return self.filter
        return {**self.filter, "is_deleted": False}
