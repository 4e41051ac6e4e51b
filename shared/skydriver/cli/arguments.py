"""Reads what users type for nsides, clusters and classifiers; the service itself judges the values."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from skydriver.model.json_text import null_for_nan, read_json

Scalar = str | bool | float | int

_NSIDE = re.compile(r"(\d+):(\d+)")
_CLUSTER = re.compile(r"([^=\s]+)=(\d+)")


def read_nsides(given: Iterable[str]) -> dict[str, int]:
    """`["8:0 64:12"]` or `["8:0", "64:12"]` as `{"8": 0, "64": 12}`, in the order given."""
    nsides: dict[str, int] = {}
    for word in " ".join(given).replace(",", " ").split():
        match = _NSIDE.fullmatch(word)
        if match is None:
            raise typer.BadParameter(f"{word!r} is not NSIDE:EXTENSION, such as 8:0", param_hint="--nsides")
        nside = str(int(match[1]))
        if nside in nsides:
            raise typer.BadParameter(f"nside {nside} is given twice", param_hint="--nsides")
        nsides[nside] = int(match[2])
    if not nsides:
        raise typer.BadParameter("at least one NSIDE:EXTENSION is needed", param_hint="--nsides")
    return nsides


def read_clusters(given: Iterable[str], option: str = "--cluster") -> list[tuple[str, int]]:
    """`["local=2"]` as `[("local", 2)]`: the list form, in which one cluster may stand more than once."""
    clusters = []
    for word in given:
        match = _CLUSTER.fullmatch(word.strip())
        if match is None:
            raise typer.BadParameter(f"{word!r} is not NAME=WORKERS, such as local=2", param_hint=option)
        clusters.append((match[1], int(match[2])))
    if not clusters:
        raise typer.BadParameter("at least one NAME=WORKERS is needed", param_hint=option)
    return clusters


def read_labels(given: Iterable[str], option: str) -> dict[str, Scalar]:
    """`["test=true", "run=7", "who=me"]` as a dict with a bool, a number and a string.

    A value that is JSON for a string, a finite number or a boolean is that; any other is taken as it stands
    (so `v="7"`, quoted for the shell, is the string 7).
    """
    return {key: _scalar(value) for key, value in read_pairs(given, option).items()}


def read_pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """`["A=1", "B="]` as `{"A": "1", "B": ""}`."""
    pairs: dict[str, str] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals:
            raise typer.BadParameter(f"{word!r} is not KEY=VALUE", param_hint=option)
        if key in pairs:
            raise typer.BadParameter(f"{key} is given twice", param_hint=option)
        pairs[key] = value
    return pairs


def _scalar(text: str) -> Scalar:
    try:
        value = read_json(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value if isinstance(value, str | bool | float | int) else text


def read_json_object(text: str | bytes, option: str) -> dict[str, Any]:
    """The text as a JSON object, in which NaN and infinities mean nothing."""
    value = _read_object(text, option)
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise typer.BadParameter("not JSON: it holds NaN or an infinity", param_hint=option) from None
    return value


def _read_object(text: str | bytes, option: str) -> dict[str, Any]:
    try:
        value = read_json(text)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint=option) from None
    if not isinstance(value, dict):
        raise typer.BadParameter("not a JSON object", param_hint=option)
    return value


def read_event(path: Path) -> dict[str, Any]:
    """The event in a file of the realtime JSON format, in which NaN stands for what is not known."""
    return read_json_file(path, "EVENT.json")


def read_json_file(path: Path, option: str) -> dict[str, Any]:
    """The JSON object in a file, with null for NaN and infinities."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint=option) from None
    return null_for_nan(_read_object(content, f"{option} ({path})"))
