"""The server's settings since v4, from the environment variables of the real scanner."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from skydriver.standin.settings import SettingsError, level

REQUIRED = ("SKYSCAN_SKYDRIVER_SCAN_ID", "SKYSCAN_EWMS_JSON")

EPILOG = """\
environment (times in whole seconds; an empty variable counts as unset):
  SKYSCAN_SKYDRIVER_SCAN_ID, SKYSCAN_EWMS_JSON   which scan, and the file that tells its queues; required
  SKYSCAN_SKYDRIVER_ADDRESS, _AUTH               where to report, and as whom
  SKYSCAN_PROGRESS_INTERVAL_SEC (60)             least time between two progress reports
  SKYSCAN_RESULT_INTERVAL_SEC (120)              least time between two result reports
  SKYSCAN_KILL_SWITCH_CHECK_INTERVAL (300)       how often to look whether the scan was stopped
  SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS (7200)         give up after twice so long without a reconstruction
  SKYSCAN_MQ_PREFETCH_FROM_CLIENTS (300)         answers that are taken ahead
  SKYSCAN_LOG (INFO), SKYSCAN_LOG_THIRD_PARTY (WARNING), SKYSCAN_MQ_CLIENT_LOG (WARNING)
  _SKYSCAN_CI_MINI_TEST                          fewer variations for millipede_original
of the stand-in alone:
  SKYSCAN_STANDIN_PIXEL_SECONDS (0)              time that a reconstruction takes; may be a fraction
  SKYSCAN_STANDIN_WORKFORCE_SECONDS (30)         time between two questions after workers; may be a fraction
"""


class Settings(NamedTuple):
    """All times in seconds."""

    scan_id: str
    ewms_json: Path
    address: str
    """SkyDriver's base URL; without one nothing is reported."""
    token: str
    progress_interval: int
    result_interval: int
    kill_switch_interval: int
    reco_timeout: int
    prefetch: int
    log_level: str
    log_level_third_party: str
    log_level_mqclient: str
    mini_test: bool
    pixel_seconds: float
    workforce_interval: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables; an empty one counts as unset.

        Raises:
            SettingsError: if one is missing, or has a value that makes no sense.
        """
        text = {name: value for name, value in environment.items() if value}
        if missing := [name for name in REQUIRED if name not in text]:
            raise SettingsError(f"missing required environment variables: {', '.join(missing)}")
        return cls(
            scan_id=text["SKYSCAN_SKYDRIVER_SCAN_ID"],
            ewms_json=Path(text["SKYSCAN_EWMS_JSON"]),
            address=text.get("SKYSCAN_SKYDRIVER_ADDRESS", ""),
            token=text.get("SKYSCAN_SKYDRIVER_AUTH", ""),
            progress_interval=_whole(text, "SKYSCAN_PROGRESS_INTERVAL_SEC", 60),
            result_interval=_whole(text, "SKYSCAN_RESULT_INTERVAL_SEC", 120),
            kill_switch_interval=_whole(text, "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL", 300),
            reco_timeout=_whole(text, "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS", 7200),
            prefetch=_whole(text, "SKYSCAN_MQ_PREFETCH_FROM_CLIENTS", 300),
            log_level=level(text, "SKYSCAN_LOG", "INFO"),
            log_level_third_party=level(text, "SKYSCAN_LOG_THIRD_PARTY", "WARNING"),
            # The real one's default is INFO, at which the library logs addresses with their passwords.
            log_level_mqclient=level(text, "SKYSCAN_MQ_CLIENT_LOG", "WARNING"),
            mini_test="_SKYSCAN_CI_MINI_TEST" in text,
            pixel_seconds=_fraction(text, "SKYSCAN_STANDIN_PIXEL_SECONDS", 0.0),
            workforce_interval=_fraction(text, "SKYSCAN_STANDIN_WORKFORCE_SECONDS", 30.0),
        )


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(environment.get(name, default))
    except ValueError:
        number = 0
    if number < 1:
        raise SettingsError(f"{name} must be a whole number of 1 or more, not {environment[name]!r}")
    return number


def _fraction(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        number = float(environment.get(name, default))
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise SettingsError(f"{name} must be a number of seconds, not {environment[name]!r}")
    return number
