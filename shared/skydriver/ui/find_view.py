"""The page that finds scans: what is typed becomes a filter, and problems stand beside their fields."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field

from skydriver.model.json_text import INT64
from skydriver.model.phases import Outcome, Phase
from skydriver.rest.search import FindArguments, write_cursor

PAGE = 50
MAX_CSV = 10_000
FIELDS = (
    *("scan_id", "timestamp", "is_deleted", "priority", "classifiers", "event_metadata", "phase", "outcome"),
    *("reason", "reason_code", "submitted_by"),
)
STATES = (*(phase.value for phase in Phase), *(outcome.value for outcome in Outcome))


class FindPageArguments(BaseModel):
    """The arguments of `GET /ui/find`: what is typed, as texts; an empty one does not matter."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    run: str = Field("", description="the event's run")
    event: str = Field("", description="its number in the run")
    since: str = Field("", description="asked for on this day or later, `2024-06-18`")
    until: str = Field("", description="asked for on this day or before")
    state: str = Field("", description="a phase, or an outcome")
    submitter: str = Field("", description="the user that has asked for it")
    classifier: str = Field("", description="`name` or `name=value`")
    hidden: str = Field("", description="anything: also those that are hidden")
    order: Literal["newest", "oldest"] = "newest"
    cursor: str = Field("", description="where the page begins")
    format: Literal["html", "csv"] = "html"


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Attributes:
        condition: the filter.
        limit: the most scans.
        after: where the page begins.
        problems: what is wrong, by field; then nothing is looked for.
    """

    condition: dict[str, Any]
    limit: int
    after: tuple[float, str] | None = None
    problems: dict[str, str] = field(default_factory=dict)


def read_search(asked: FindPageArguments) -> Search:
    """Make a search of what is typed."""
    condition: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, path in (("run", "event_metadata.run_id"), ("event", "event_metadata.event_id")):
        if text := getattr(asked, name).strip():
            if text.isdecimal() and text.isascii() and int(text) in INT64:
                condition[path] = int(text)
            else:
                problems[name] = "must be a whole number"
    time: dict[str, float] = {}
    for name, operator, days in (("since", "$gte", 0), ("until", "$lt", 1)):
        if text := getattr(asked, name).strip():
            try:
                day = dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)
                time[operator] = (day + dt.timedelta(days=days)).timestamp()
            except (ValueError, OverflowError):
                problems[name] = "must be a day, such as 2024-06-18"
    if time:
        condition["timestamp"] = time
    if asked.state in STATES:
        condition["phase" if asked.state in list(Phase) else "outcome"] = asked.state
    elif asked.state:
        problems["state"] = f"must be one of {', '.join(STATES)}"
    if submitter := asked.submitter.strip():
        condition["submitted_by"] = submitter
    if typed := asked.classifier.strip():
        condition |= _of_classifier(typed)
    if not asked.hidden:
        condition["is_deleted"] = False
    after = None
    if asked.cursor:
        try:
            after = FindArguments(filter={}, limit=PAGE, cursor=asked.cursor).cursor
        except ValueError:
            problems["cursor"] = "this page is not known: begin with the first one"
    return Search(condition, MAX_CSV if asked.format == "csv" else PAGE, after, problems)


def _of_classifier(typed: str) -> dict[str, Any]:
    """Read `name` or `name=value`; a value may be a text, a number or true or false."""
    name, equals, text = (part.strip() for part in typed.partition("="))
    path = f"classifiers.{name}"
    if not equals:
        return {path: {"$exists": True}}
    values: list[Any] = [text]
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, bool | float) or (isinstance(value, int) and value in INT64):
        values.append(value)
    return {path: {"$in": values}}


def find_view(asked: FindPageArguments, search: Search, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make what the page shows.

    Args:
        asked: what is typed.
        search: what it means.
        found: scans with their FIELDS: one more than fit says that there is another page.
    """
    typed = {
        name: value
        for name, value in asked.model_dump(exclude={"cursor", "format"}).items()
        if value not in ("", "newest")
    }
    shown = found[: search.limit]
    following = None
    if len(found) > search.limit:
        last = shown[-1]
        following = _path({**typed, "cursor": write_cursor((last["timestamp"], last["scan_id"]))})
    other = {**typed, "order": "oldest"} if asked.order == "newest" else {**typed, "order": ""}
    return {
        "asked": asked.model_dump(),
        "states": STATES,
        "problems": search.problems,
        "scans": [
            {
                **scan,
                "classifiers": sorted((name, str(value)) for name, value in scan["classifiers"].items()),
            }
            for scan in shown
        ],
        "following": following,
        "first": _path(typed) if asked.cursor else None,
        "reversed": _path({name: value for name, value in other.items() if value}),
        "csv": _path({**typed, "format": "csv"}),
    }


def _path(query: Mapping[str, str]) -> str:
    return f"/ui/find?{urlencode(query)}" if query else "/ui/find"
