"""Names that users give, as the store keeps them: those of a scan's classifiers.

MongoDB reads a dot in a field's path as a step into an object, and a leading `$` as an operator. A name that
holds either could be stored, but not be searched for. So `%`, `.` and `$` are kept as `%25`, `%2E` and `%24`,
and an empty name as `%00`. No module above the store knows of this: what it hands over and what it gets has
the names that users gave.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from skydriver.model.documents import WholeScan

Document = dict[str, Any]
Part = TypeVar("Part")

CLASSIFIERS = "classifiers"
_EMPTY = "%00"
_SPECIAL = re.compile(r"[%.$]")


def escape(name: str) -> str:
    """Write a name as it is kept."""
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", name) or _EMPTY


def unescape(name: str) -> str:
    """Read a name that is kept."""
    return "" if name == _EMPTY else unquote(name)


def kept(scan: WholeScan) -> Document:
    """Make the document that is stored of a scan; the scan itself stays as it is."""
    request = {**scan["request"], CLASSIFIERS: _each(escape, scan["request"]["classifiers"])}
    return {**scan, CLASSIFIERS: _each(escape, scan["classifiers"]), "request": request}


def shown(scan: Part) -> Part:
    """Give a scan that was read, or a part of one, the names that users gave, and return it."""
    whole = cast(Document, scan)
    for part in (whole, whole.get("request", {})):
        if CLASSIFIERS in part:
            part[CLASSIFIERS] = _each(unescape, part[CLASSIFIERS])
    return scan


def kept_filter(condition: Mapping[str, Any]) -> Document:
    """Write a filter of scans as it is searched for: what follows `classifiers.` in a path is one name.

    The id of a scan stands in a document twice, and `_id` has the index.
    """
    written: Document = {}
    for path, value in condition.items():
        field, dot, name = path.partition(".")
        if path in ("$and", "$or", "$nor") and isinstance(value, list):
            written[path] = [kept_filter(one) if isinstance(one, Mapping) else one for one in value]
        elif path == "scan_id":
            written["_id"] = value
        elif field == CLASSIFIERS:
            written[f"{field}.{escape(name)}" if dot else field] = value if dot else _all_names(value)
        else:
            written[path] = value
    return written


def _each(change: Callable[[str], str], classifiers: Document) -> Document:
    return {change(name): value for name, value in classifiers.items()}


def _all_names(value: Any) -> Any:
    """Write the names in what all classifiers are compared with; operators are none."""
    if isinstance(value, Mapping):
        return {
            name if name.startswith("$") else escape(name): _all_names(inner) for name, inner in value.items()
        }
    return [_all_names(one) for one in value] if isinstance(value, list) else value
