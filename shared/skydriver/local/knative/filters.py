"""Trigger filters: which events a Trigger's subscriber hears.

Dialects by the CloudEvents subscriptions API, as Knative has them: exact, prefix, suffix, all, any, not.
Filters see attributes and extensions only, never data.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from skydriver.local.errors import ManifestError

Attributes = Mapping[str, str]
Filter = Callable[[Attributes], bool]

_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
}


def every(specs: Iterable[Any]) -> Filter:
    """Make one filter of a list of which each entry must hold; an empty list lets everything pass.

    Raises:
        ManifestError: an entry is of no known dialect, or malformed.
    """
    filters = [parse(spec) for spec in specs]
    return lambda attributes: all(accepts(attributes) for accepts in filters)


def parse(spec: Any) -> Filter:
    """Make a filter of one entry, `{dialect: argument}`.

    Raises:
        ManifestError: it is of no known dialect, or malformed.
    """
    if isinstance(spec, dict) and len(spec) == 1:
        ((dialect, argument),) = spec.items()
        match dialect, argument:
            case (("exact" | "prefix" | "suffix"), dict()) if argument and _is_text(argument):
                return _compare(_COMPARISONS[dialect], argument)
            case "all", [_, *_]:
                return every(argument)
            case "any", [_, *_]:
                filters = [parse(item) for item in argument]
                return lambda attributes: any(accepts(attributes) for accepts in filters)
            case "not", dict():
                negated = parse(argument)
                return lambda attributes: not negated(attributes)
    raise ManifestError(f"the local broker does not know the filter {spec!r}")


def _compare(holds: Callable[[str, str], bool], wanted: Mapping[str, str]) -> Filter:
    """All attributes named must be there and compare; an absent one never does."""
    items = tuple(wanted.items())
    return lambda attributes: all(
        name in attributes and holds(attributes[name], value) for name, value in items
    )


def _is_text(wanted: Mapping[Any, Any]) -> bool:
    return all(isinstance(part, str) and part for item in wanted.items() for part in item)
