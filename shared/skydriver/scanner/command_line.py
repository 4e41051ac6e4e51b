"""The command line and the environment of a scanner server (skymap_scanner): pure builders."""

from collections.abc import Mapping
from typing import Any

from skydriver.model.submission import CODE_VARIABLES, SERVICE_VARIABLES, RealOrSimulated
from skydriver.scanner.era import (
    Era,
    era_of,
    reads_queues_from_file,
    seconds,
    server_takes,
    server_variables,
    worker_variables,
)
from skydriver.scanner.ewms_json import Broker, content
from skydriver.settings import Settings

STARTUP_FILE = "startup.json"
EWMS_JSON = "ewms.json"
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
    """Build what workers need to know, and with the exceptions of `era.server_takes` their server, too."""
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
        "EWMS_PILOT_TASK_TIMEOUT": str(request["max_pixel_reco_time"]),
        "SKYSCAN_EWMS_PILOT_LOG": "WARNING",
        "SKYSCAN_MQ_CLIENT_LOG": "WARNING",
        **{name: str(value) for name, value in optional.items() if value is not None},
    }


def worker_environment(
    request: Mapping[str, Any], settings: Settings, *, scanner_id: str, broker: Broker
) -> dict[str, str]:
    """Build the environment of a scan's workers; the broker's token is in it.

    Args:
        request: the scan's stored request.
        settings: the installation's.
        scanner_id: the id by which the server knows its scan.
        broker: the message broker.
    """
    told = worker_variables(era_of_request(request, settings), broker, scanner_id=scanner_id)
    return {**shared_environment(request, settings), **told}


def server_environment(
    request: Mapping[str, Any],
    settings: Settings,
    *,
    scanner_id: str,
    token: str,
    broker: Broker,
    ewms_json: str,
) -> dict[str, str]:
    """Build the environment of a scan's server.

    What the user asks for wins over every default, also over those of the installation (as in v1), and over
    nothing that says who the server is, whom it talks to, and by which secret.

    Args:
        request: the scan's stored request.
        settings: the installation's.
        scanner_id: the id by which the server knows its scan.
        token: the scanner's own; the manifest shows it masked.
        broker: the message broker, of which the same holds.
        ewms_json: where the server finds the file of its queues, since v4.
    """
    era = era_of_request(request, settings)
    user = {
        name: "" if value is None else str(value)
        for name, value in request["scanner_server_env_from_user"].items()
        # Validation refuses these; a request may have been stored before it did.
        if not SERVICE_VARIABLES.fullmatch(name) and not CODE_VARIABLES.fullmatch(name)
    }
    intervals = {
        "SKYSCAN_PROGRESS_INTERVAL_SEC": settings.skyscan_progress_interval_sec,
        "SKYSCAN_RESULT_INTERVAL_SEC": settings.skyscan_result_interval_sec,
        "SKYSCAN_KILL_SWITCH_CHECK_INTERVAL": settings.skyscan_kill_switch_check_interval,
    }
    shared = shared_environment(request, settings)
    return {
        **{name: value for name, value in shared.items() if server_takes(era, name)},
        **{name: seconds(era, value) for name, value in intervals.items() if value is not None},
        **user,
        "SKYSCAN_SKYDRIVER_ADDRESS": settings.skydriver_url,
        "SKYSCAN_SKYDRIVER_SCAN_ID": scanner_id,
        "SKYSCAN_SKYDRIVER_AUTH": token,
        **server_variables(era, broker, ewms_json=ewms_json),
    }


def secret_files(
    request: Mapping[str, Any], settings: Settings, *, scanner_id: str, broker: Broker
) -> dict[str, str]:
    """Write the files that only a scan's server may read, by their names: since v4 that of its queues."""
    if not reads_queues_from_file(era_of_request(request, settings)):
        return {}
    return {EWMS_JSON: content(scanner_id, broker)}


def era_of_request(request: Mapping[str, Any], settings: Settings) -> Era:
    """Tell the era of the scanner that a request asks for."""
    return era_of(request["docker_tag"], settings.v3_tags)
