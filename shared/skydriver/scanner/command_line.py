"""The command line and the environment of a scanner server (skymap_scanner v3): pure builders."""

from collections.abc import Mapping
from typing import Any

from skydriver.model.submission import SERVICE_VARIABLES, RealOrSimulated
from skydriver.settings import Settings

STARTUP_FILE = "startup.json"
LOWEST_THRESHOLD = 0.1
SAFE_THRESHOLD = 0.1001
"""The scanner's command line takes 0.1, but its collector demands more and crashes."""


def server_arguments(request: Mapping[str, Any], *, program: tuple[str, ...], folder: str) -> list[str]:
    """Build the command line of a scan's server.

    Args:
        request: the scan's stored request.
        program: how the scanner is run, e.g. `python -m skymap_scanner.server`.
        folder: the folder that the server shares with the uploader of its startup file.
    """
    threshold = request["predictive_scanning_threshold"]
    real = RealOrSimulated(request["real_or_simulated_event"]).is_real
    return [
        *program,
        "--reco-algo",
        request["reco_algo"],
        "--cache-dir",
        folder,
        "--client-startup-json",
        f"{folder}/{STARTUP_FILE}",
        "--nsides",
        *(f"{nside}:{extension}" for nside, extension in request["nsides"].items()),
        "--real-event" if real else "--simulated-event",
        "--predictive-scanning-threshold",
        str(SAFE_THRESHOLD if threshold <= LOWEST_THRESHOLD else threshold),
    ]


def shared_environment(request: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Build what the server and its workers both need to know."""
    optional: dict[str, object] = {
        "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS": settings.skyscan_mq_timeout_to_clients,
        "SKYSCAN_MQ_TIMEOUT_FROM_CLIENTS": settings.skyscan_mq_timeout_from_clients,
        "EWMS_PILOT_QUARANTINE_TIME": settings.ewms_pilot_quarantine_time,
        "SKYSCAN_LOG": settings.skyscan_log,
        "SKYSCAN_LOG_THIRD_PARTY": settings.skyscan_log_third_party,
    }
    wait = request["skyscan_mq_client_timeout_wait_for_first_message"]
    if wait != -1:
        optional["SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE"] = wait
    return {
        "SKYSCAN_BROKER_ADDRESS": settings.skyscan_broker_address,
        "EWMS_PILOT_TASK_TIMEOUT": str(request["max_pixel_reco_time"]),
        "SKYSCAN_EWMS_PILOT_LOG": "WARNING",
        "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
        **{name: str(value) for name, value in optional.items() if value is not None},
    }


def server_environment(
    request: Mapping[str, Any], settings: Settings, *, scanner_id: str, tokens: Mapping[str, str]
) -> dict[str, str]:
    """Build the environment of a scan's server.

    What the user asks for wins over every default, also over those of the installation (as in v1), and over
    nothing that says who the server is, whom it talks to, and by which secret.

    Args:
        request: the scan's stored request.
        settings: the installation's.
        scanner_id: the id by which the server knows its scan.
        tokens: variables that hold secrets; the manifest shows them masked.
    """
    user = {
        name: "" if value is None else str(value)
        for name, value in request["scanner_server_env_from_user"].items()
        # Validation refuses these; a request may have been stored before it did.
        if not SERVICE_VARIABLES.fullmatch(name)
    }
    intervals = {
        "SKYSCAN_PROGRESS_INTERVAL_SEC": settings.skyscan_progress_interval_sec,
        "SKYSCAN_RESULT_INTERVAL_SEC": settings.skyscan_result_interval_sec,
        "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL": settings.skyscan_kill_switch_check_interval,
    }
    return {
        **shared_environment(request, settings),
        **{name: _seconds(value) for name, value in intervals.items() if value is not None},
        **user,
        "SKYSCAN_SKYDRIVER_ADDRESS": settings.skydriver_url,
        "SKYSCAN_SKYDRIVER_SCAN_ID": scanner_id,
        **tokens,
    }


def _seconds(value: float) -> str:
    """Write a whole number of seconds without a fraction or an exponent."""
    return str(int(value)) if value.is_integer() else str(value)
