"""What differs between scanners before v4 and since: the one module that says so, nothing else asks.

Before v4 the server and its workers are told the broker by variables, and a worker is a program that stays.
Since v4 the server reads a file with its two queues and asks how many workers run, and a client does one
pixel, so a pilot of ours runs around it (reference: the scanner's releases v3.22.1 and v4.2.1).
"""

import math
import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from skydriver.errors import InvalidArguments
from skydriver.scanner.ewms_json import Broker, queue_names

FIRST_OF_V4 = 4
_VERSION = re.compile(r"v?(\d+)(?:\.\d+)*")


class Era(StrEnum):
    """Which protocol a scanner speaks."""

    V3 = "v3"
    V4 = "v4"


@lru_cache
def era_of(docker_tag: str, v3_tags: frozenset[str] = frozenset()) -> Era:
    """Tell an image's era by its tag; one without a version (a branch, `latest`) counts as v4.

    Args:
        docker_tag: the tag.
        v3_tags: the exceptions: tags without a version that are older.
    """
    version = _VERSION.fullmatch(docker_tag)
    if version is None:
        return Era.V3 if docker_tag in v3_tags else Era.V4
    return Era.V4 if int(version[1]) >= FIRST_OF_V4 else Era.V3


# --- which images may be asked for ----------------------------------------------------------------------


def usable_tags(tags: Iterable[str], *, has_broker: bool, v3_tags: frozenset[str] = frozenset()) -> list[str]:
    """List the tags that scans can run with here: without a broker those before v4."""
    return [tag for tag in tags if has_broker or era_of(tag, v3_tags) is Era.V3]


def check_broker(docker_tag: str, *, has_broker: bool, v3_tags: frozenset[str] = frozenset()) -> None:
    """Check that an image that was asked for can run here.

    Raises:
        InvalidArguments: it needs a message broker, and none is configured.
    """
    if not usable_tags([docker_tag], has_broker=has_broker, v3_tags=v3_tags):
        raise InvalidArguments(
            {
                "docker_tag": f"'{docker_tag}' counts as v{FIRST_OF_V4} or later, which needs a message"
                " broker; none is configured here: ask for an older one, such as 'v3'"
            }
        )


def check_pixel_time(era: Era, max_pixel_reco_time: int, acknowledgement_timeout: int) -> None:
    """Check that a pixel may take as long as was asked for.

    Args:
        era: of the scanner.
        max_pixel_reco_time: seconds.
        acknowledgement_timeout: seconds after which the broker takes back a pixel that is not answered
            (RabbitMQ's `consumer_timeout`).

    Raises:
        InvalidArguments: it may not.
    """
    if era is Era.V4 and max_pixel_reco_time >= acknowledgement_timeout:
        raise InvalidArguments(
            {
                "max_pixel_reco_time": f"must be less than {acknowledgement_timeout} (seconds) for scanners"
                f" since v{FIRST_OF_V4}: after these the message broker gives the pixel to another worker"
            }
        )


# --- how they are run -----------------------------------------------------------------------------------


def server_variables(era: Era, broker: Broker, *, ewms_json: str) -> dict[str, str]:
    """Tell a server its broker.

    Args:
        era: of the scanner.
        broker: the message broker.
        ewms_json: where the server finds the file of queues (`ewms_json.content`), since v4.
    """
    if era is Era.V4:
        return {"SKYSCAN_EWMS_JSON": ewms_json}
    return _broker_variables(broker)


WORKERS_ONLY = frozenset(
    {
        "EWMS_PILOT_QUARANTINE_TIME",
        "EWMS_PILOT_TASK_TIMEOUT",
        "SKYSCAN_EWMS_PILOT_LOG",
        "SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE",
        "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS",
    }
)
"""Variables that servers since v4 know no longer."""


def server_takes(era: Era, variable: str) -> bool:
    """Say whether a server is told a variable that its workers are told."""
    return era is Era.V3 or variable not in WORKERS_ONLY


def reads_queues_from_file(era: Era) -> bool:
    """Say whether a server reads its queues from a file."""
    return era is Era.V4


def leaves_queues(era: Era) -> bool:
    """Say whether a server makes queues at the message broker that stay when it has ended."""
    return era is Era.V4


def dies_without_broker(era: Era) -> bool:
    """Say whether a server ends at once where the message broker takes no connections."""
    return era is Era.V4


def may_stall(era: Era) -> bool:
    """Say whether a server may wait for ever for a pixel that was lost."""
    return era is Era.V4


def worker_variables(era: Era, broker: Broker, *, scanner_id: str) -> dict[str, str]:
    """Tell a worker its broker; since v4 it is the pilot that is told, and which queues.

    Args:
        era: of the scanner.
        broker: the message broker.
        scanner_id: by which the server knows its scan.
    """
    if era is Era.V3:
        return _broker_variables(broker)  # it finds its queues in the startup file
    names = queue_names(scanner_id)
    return {
        **_broker_variables(broker),
        "EWMS_PILOT_QUEUE_INCOMING": names.to_clients,
        "EWMS_PILOT_QUEUE_OUTGOING": names.from_clients,
    }


def _broker_variables(broker: Broker) -> dict[str, str]:
    variables = {"SKYSCAN_BROKER_ADDRESS": broker.address, "SKYSCAN_BROKER_AUTH": broker.token}
    return {name: value for name, value in variables.items() if value}


def seconds(era: Era, value: float) -> str:
    """Write an interval as a server takes it: since v4 whole seconds, one at least."""
    if era is Era.V4:
        return str(max(1, math.ceil(value)))
    return str(int(value)) if float(value).is_integer() else str(value)


def has_pilot(era: Era) -> bool:
    """Say whether a pilot runs around a scan's clients, each of which does one pixel."""
    return era is Era.V4


def survives_its_server(era: Era) -> bool:
    """Say whether a server that has ended by itself may be launched again.

    Since v4 it ends with any connection that it loses, and with "must have timed out" for many a reason.
    """
    return era is Era.V4


def worker_command(
    era: Era, *, python: str, pilot: str, client: tuple[str, ...], startup_file: str
) -> list[str]:
    """Build a worker's command line.

    Args:
        era: of the scanner.
        python: what runs the pilot, since v4.
        pilot: where the pilot's file is, since v4.
        client: how the scanner's client is run, e.g. `python -m skymap_scanner.client`.
        startup_file: where the startup file is.
    """
    if era is Era.V3:
        return [*client, "--client-startup-json", startup_file]
    return [python, pilot, "--client-startup-json", startup_file, "--", *client]
