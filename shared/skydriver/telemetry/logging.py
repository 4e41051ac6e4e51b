"""Logging of a function: one JSON object a line on standard error, at the level that the settings say.

Each line says which function, scan and event it is about, whatever module writes it.
"""

import datetime as dt
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import NamedTuple

from skydriver.settings import settings

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed in place


@contextmanager
def log_context(**what: str) -> Iterator[None]:
    """Say in every line that is logged within this context what it is about; what is empty is left out."""
    token = _about.set({**_about.get(), **{name: value for name, value in what.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


class Work(NamedTuple):
    """Which function is at work, and because of what: the id of an event, or a route."""

    function: str
    cause: str


_work: ContextVar[Work] = ContextVar("work", default=Work("skydriver", ""))  # noqa: B039 - a tuple


@contextmanager
def working(function: str, cause: str) -> Iterator[None]:
    """Let histories, events and logs made within this context say which function is at work, and why."""
    token = _work.set(Work(function, cause))
    try:
        with log_context(function=function):
            yield
    finally:
        _work.reset(token)


def work() -> Work:
    """Say which function is at work here."""
    return _work.get()


class LineFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    `figures` of a record (`extra={"figures": {...}}`) are numbers that are measured by, not read.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        line: dict[str, object] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            **_about.get(),
            "message": record.getMessage(),
        }
        if figures := getattr(record, "figures", None):
            line["figures"] = figures
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@cache
def configure_logging() -> None:
    """Give our loggers a handler, once a process; functions-framework configures none.

    Only the `skydriver` logger is touched: other libraries' debug output could hold request headers.
    """
    ours = logging.getLogger("skydriver")
    ours.setLevel(settings().log_level.upper())
    if not ours.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LineFormatter())
        ours.addHandler(handler)
