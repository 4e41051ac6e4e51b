"""Logging of a function: to standard error, at the level that the settings say."""

import logging
import sys
from functools import cache

from skydriver.settings import settings


@cache
def configure_logging() -> None:
    """Give our loggers a handler, once a process; functions-framework configures none.

    Only the `skydriver` logger is touched: other libraries' debug output could hold request headers.
    """
    ours = logging.getLogger("skydriver")
    ours.setLevel(settings().log_level.upper())
    if not ours.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        ours.addHandler(handler)
