"""The server's settings, from the environment variables of the real scanner."""

import math
from collections.abc import Mapping
from typing import NamedTuple

FOR_WORKERS = ("SKYSCAN_STANDIN_PIXEL_SECONDS", "SKYSCAN_CRASH_DUMMY_PROBABILITY")


class SettingsError(Exception):
    """An environment variable has a value that makes no sense; the text names it."""


class Settings(NamedTuple):
    """All times in seconds."""

    address: str
    """SkyDriver's base URL; without one nothing is reported."""
    token: str
    scan_id: str
    progress_interval: float
    result_interval: float
    kill_switch_interval: float
    reco_timeout: float
    """The server gives up after so long without a reconstruction."""
    lease_seconds: float
    """A worker that has kept a reconstruction for so long has lost it."""
    log_level: str
    log_level_third_party: str
    mini_test: bool
    host: str
    """The address that the pixel queue is bound to and that workers reach it by."""
    for_workers: dict[str, str]
    """Variables that only stand-ins know: a server hands them on to its workers."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables; an empty one counts as unset.

        Raises:
            SettingsError: if one has a value that makes no sense.
        """
        text = {name: value for name, value in environment.items() if value}
        if "SKYSCAN_SKYDRIVER_ADDRESS" in text and "SKYSCAN_SKYDRIVER_SCAN_ID" not in text:
            raise SettingsError("SKYSCAN_SKYDRIVER_ADDRESS makes no sense without SKYSCAN_SKYDRIVER_SCAN_ID")
        return cls(
            address=text.get("SKYSCAN_SKYDRIVER_ADDRESS", ""),
            token=text.get("SKYSCAN_SKYDRIVER_AUTH", ""),
            scan_id=text.get("SKYSCAN_SKYDRIVER_SCAN_ID", ""),
            progress_interval=seconds(text, "SKYSCAN_PROGRESS_INTERVAL_SEC", 60),
            result_interval=seconds(text, "SKYSCAN_RESULT_INTERVAL_SEC", 120),
            kill_switch_interval=seconds(text, "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL", 300),
            reco_timeout=seconds(text, "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS", 259200),
            # A worker gives up by itself at the limit: it is left a moment to say so.
            lease_seconds=seconds(text, "EWMS_PILOT_TASK_TIMEOUT", 1800) * 1.1 + 1,
            log_level=level(text, "SKYSCAN_LOG", "INFO"),
            log_level_third_party=level(text, "SKYSCAN_LOG_THIRD_PARTY", "WARNING"),
            mini_test=switch(text, "SKYSCAN_MINI_TEST"),
            host=text.get("SKYSCAN_STANDIN_HOST", "127.0.0.1"),
            for_workers={name: text[name] for name in FOR_WORKERS if name in text},
        )


def switch(environment: Mapping[str, str], name: str) -> bool:
    """Read whether something is switched on."""
    return environment.get(name, "").lower() in ("1", "true", "yes", "on")


def seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    """A positive number of seconds.

    Raises:
        SettingsError: if the variable holds anything else.
    """
    value = environment.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise SettingsError(f"{name} must be a positive number of seconds, not {value!r}")
    return number


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def level(environment: Mapping[str, str], name: str, default: str) -> str:
    """A log level by name.

    Raises:
        SettingsError: if the variable holds anything else.
    """
    value = environment.get(name, default).upper()
    if value not in LEVELS:
        raise SettingsError(f"{name} must be one of {', '.join(LEVELS)}, not {value!r}")
    return value
