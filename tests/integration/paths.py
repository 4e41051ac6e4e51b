"""Holds what is said to MongoDB against the types of documents: what mypy cannot see in dotted paths.

A listener of the driver sees each command as it is sent. In filters, updates, sorts, projections, array
filters, pipelines, indexes and whole documents no field may be named that no type has.
"""

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, NotRequired, Required, Union, get_args, get_origin, is_typeddict

from pymongo.monitoring import CommandListener

from skydriver.model import documents
from skydriver.model import subscriptions as subscription_types
from skydriver.store import (
    confirmations,
    counters,
    deliveries,
    handled_events,
    i3_events,
    idempotency_keys,
    import_asides,
    observation_leases,
    rate_limit,
    results,
    subscriptions,
    sweeps,
)
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.search import SEARCH

TYPES: Mapping[str, Any] = {
    scan_document.NAME: documents.WholeScan,
    i3_events.NAME: documents.I3Event,
    results.NAME: documents.ResultPiece,
    idempotency_keys.NAME: documents.Submission,
    handled_events.NAME: documents.HandledEvent,
    import_asides.NAME: documents.ImportAside,
    rate_limit.NAME: documents.Limits,
    observation_leases.NAME: documents.ObservationLease,
    counters.NAME: documents.Totals,
    sweeps.NAME: documents.SweepRecord,
    subscriptions.NAME: subscription_types.Subscription,
    deliveries.NAME: subscription_types.Delivery,
    confirmations.NAME: subscription_types.Confirmations,
}
_LOGICAL = ("$and", "$or", "$nor")


class UnknownPath(Exception):
    """No type has a field of this name."""


def inner(kind: Any, name: str, path: str) -> Any:
    """Go one step down from a type.

    Raises:
        UnknownPath: it has no such field.
    """
    if kind is Any:
        return Any
    if is_typeddict(kind):
        if name not in kind.__annotations__:
            raise UnknownPath(f"{path}: {kind.__name__} has no field '{name}'")
        return kind.__annotations__[name]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return arguments[1]
    if origin is list:
        item = arguments[0]
        return item if name.isdigit() or name.startswith("$") else inner(item, name, path)
    if origin in (NotRequired, Required, Union, UnionType):
        branches = [one for one in arguments if one is not type(None)]
        problem = UnknownPath(f"{path}: there is nothing in it")
        for branch in branches:
            try:
                return inner(branch, name, path)
            except UnknownPath as error:
                problem = error
        raise problem
    raise UnknownPath(f"{path}: {kind} has no field '{name}'")


def resolve(kind: Any, path: str) -> Any:
    """Follow a dotted path; `_id` is a field of anything that is stored."""
    for name in path.split("."):
        kind = inner(kind, name, path)
    return kind


def _items(kind: Any) -> Any:
    """Say of what type the items of a list are, or the value itself."""
    if get_origin(kind) in (NotRequired, Required, Union, UnionType):
        return next(_items(one) for one in get_args(kind) if one is not type(None))
    return get_args(kind)[0] if get_origin(kind) is list else kind


def check_value(kind: Any, value: Any, path: str) -> None:
    """Check the names in a whole value."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            check_value(inner(kind, name, f"{path}.{name}"), one, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for one in value:
            check_value(_items(kind), one, path)


def check_filter(kind: Any, condition: Mapping[str, Any], path: str = "") -> None:
    """Check a filter, or what stands in an `$elemMatch`."""
    for name, value in condition.items():
        if name in _LOGICAL:
            for one in value:
                check_filter(kind, one, path)
        elif not name.startswith("$"):
            _check_condition(resolve(kind, name), value, f"{path}{name}")


def _check_condition(kind: Any, value: Any, path: str) -> None:
    if not isinstance(value, Mapping):
        return
    for operator, operand in value.items():
        if operator == "$elemMatch":
            check_filter(_items(kind), operand, f"{path}.")
        elif operator == "$not":
            _check_condition(kind, operand, path)
        elif not operator.startswith("$"):
            check_value(kind, value, path)
            return


def check_update(kind: Any, update: Any, array_filters: Iterable[Mapping[str, Any]] = ()) -> None:
    """Check an update, by operators or by a pipeline."""
    if isinstance(update, list):
        for stage in update:
            _check_stage(kind, stage)
        return
    filters = {name.split(".")[0]: one for one in array_filters for name in one}
    for operator, fields in update.items():
        if not operator.startswith("$"):
            check_value(kind, update, "")
            return
        for path, value in fields.items():
            found = resolve(kind, path)
            for part in path.split("."):
                if part.startswith("$[") and part != "$[]":
                    item = resolve(kind, path[: path.index(part) + len(part)])
                    condition = filters[part[2:-1]]
                    check_filter(item, {name.partition(".")[2]: one for name, one in condition.items()})
            if operator in ("$push", "$addToSet"):
                each = value.get("$each") if isinstance(value, Mapping) else None
                for one in [value] if each is None else each:
                    check_value(_items(found), one, path)
            elif operator == "$pull":
                _check_condition(_items(found), value, path)
            elif operator != "$unset":
                check_value(found, value, path)


def _check_pipeline(kind: Any, pipeline: Iterable[Mapping[str, Any]]) -> None:
    typed = True
    for stage in pipeline:
        if (union := stage.get("$unionWith")) is not None:
            _check_pipeline(TYPES[union["coll"]], union["pipeline"])
        else:
            typed = typed and _check_stage(kind, stage)


def _is_made(path: str) -> bool:
    """Say whether a field is made by a pipeline for itself: its name begins with `_`."""
    return path.startswith("_") and path != "_id"


def _check_stage(kind: Any, stage: Mapping[str, Any]) -> bool:
    """Check a stage of a pipeline; False once its documents are no longer of a type."""
    ((operator, content),) = stage.items()
    if operator == "$changeStream":
        # What follows looks at events of changes, not at documents.
        return False
    if operator == "$match":
        check_filter(kind, content)
    elif operator in ("$set", "$project"):
        for path, value in content.items():
            if not _is_made(path):
                resolve(kind, path)
            _check_expression(kind, value)
    elif operator == "$unset":
        for path in [content] if isinstance(content, str) else content:
            resolve(kind, path)
    elif operator == "$lookup":
        if not _is_made(content["localField"]):
            resolve(kind, content["localField"])
        resolve(TYPES[content["from"]], content["foreignField"])
        return False
    elif operator == "$group":
        _check_expression(kind, content)
        return False
    return True


def _check_expression(kind: Any, expression: Any) -> None:
    if isinstance(expression, str) and expression.startswith("$") and not expression.startswith("$$"):
        resolve(kind, expression[1:])
    elif isinstance(expression, Mapping):
        for value in expression.values():
            _check_expression(kind, value)
    elif isinstance(expression, list):
        for value in expression:
            _check_expression(kind, value)


def check_command(name: str, command: Mapping[str, Any]) -> None:
    """Check a command as the driver sends it.

    Raises:
        UnknownPath: it names a field that no type has.
    """
    kind = TYPES.get(str(command.get(name)))
    if kind is None or command.get("comment") == SEARCH:
        return
    match name:
        case "insert":
            for document in command["documents"]:
                check_value(kind, document, "")
                if document.get("schema") != documents.SCHEMA:
                    raise UnknownPath(f"a document of '{command[name]}' does not say its schema")
        case "find":
            check_filter(kind, command.get("filter", {}))
            _check_paths(kind, [*command.get("projection", {}), *command.get("sort", {})])
        case "update":
            for one in command["updates"]:
                check_filter(kind, one["q"])
                check_update(kind, one["u"], one.get("arrayFilters", ()))
        case "findAndModify":
            check_filter(kind, command.get("query", {}))
            check_update(kind, command.get("update", {}), command.get("arrayFilters", ()))
            _check_paths(kind, [*command.get("fields", {}), *command.get("sort", {})])
        case "delete":
            for one in command["deletes"]:
                check_filter(kind, one["q"])
        case "distinct":
            resolve(kind, command["key"])
            check_filter(kind, command.get("query", {}))
        case "aggregate":
            _check_pipeline(kind, command["pipeline"])
        case "createIndexes":
            for index in command["indexes"]:
                _check_paths(kind, [path.removesuffix(".$**") for path in index["key"]])
                check_filter(kind, index.get("partialFilterExpression", {}))


def _check_paths(kind: Any, paths: Iterable[str]) -> None:
    for path in paths:
        resolve(kind, path)


class PathListener(CommandListener):
    """Collects the paths that no type has; the driver would only log what a listener raises."""

    def __init__(self) -> None:
        self._unknown: list[str] = []

    def started(self, event: Any) -> None:
        """Check a command before it is sent."""
        try:
            check_command(event.command_name, event.command)
        except UnknownPath as error:
            self._unknown.append(f"{event.command_name} {error}")

    def succeeded(self, event: Any) -> None:
        """Do nothing."""

    def failed(self, event: Any) -> None:
        """Do nothing."""

    def take(self) -> list[str]:
        """Give what was found since the last time."""
        found, self._unknown = self._unknown, []
        return found
