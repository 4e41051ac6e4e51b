"""The form of a new scan, and of a rescan with changes: its fields, and the arguments that they stand for."""

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from skydriver.errors import InvalidArguments, SkyDriverError, TemporaryError
from skydriver.model.json_text import read_json
from skydriver.model.redaction import MASK
from skydriver.settings import known_clusters
from skydriver.ui.forms import Form

WORKERS = "workers-"
"""Begins the name of a field that says how many workers a cluster is asked for."""
RECO_ALGOS = ("millipede_wilks", "millipede_original", "splinempe", "splinempe_pointed")
"""The scanner's reconstructions (skymap_scanner, `--reco-algo`), the usual one first."""
NSIDES = ("8:0 64:12 512:24", "8:0 64:12", "1:0 8:12 64:12")
"""Progressions of nsides to choose from: what alerts are scanned with, a coarser and a quick one."""
KINDS = ("real", "simulated")
DEFAULTS = {
    "event": "",
    "i3_event_id": "",
    "docker_tag": "latest",
    "reco_algo": RECO_ALGOS[0],
    "nsides": NSIDES[0],
    "real_or_simulated_event": KINDS[0],
    # Less than the 30 minutes after which RabbitMQ takes a pixel back by default.
    "max_pixel_reco_time": "1200",
    "priority": "0",
    "predictive_scanning_threshold": "1",
    "classifiers": "",
    "client_logs": "",
    "max_worker_runtime": "",
    "worker_memory": "8G",
    "worker_disk": "1G",
    "scanner_server_memory": "1024M",
    "scanner_server_env": "",
    "abort_first": "",
    "replace_scan": "",
}
"""What a new form says."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def fields_of_request(request: Mapping[str, Any]) -> dict[str, str]:
    """Fill in the form as an earlier scan was asked for."""
    workers: dict[str, int] = {}
    for name, n_workers in request["request_clusters"]:
        workers[name] = workers.get(name, 0) + n_workers
    return {
        **DEFAULTS,
        "i3_event_id": request["i3_event_id"],
        "docker_tag": request["docker_tag"],
        "reco_algo": request["reco_algo"],
        "nsides": " ".join(f"{nside}:{extension}" for nside, extension in request["nsides"].items()),
        "real_or_simulated_event": (
            KINDS[0] if request["real_or_simulated_event"].startswith("real") else KINDS[1]
        ),
        "max_pixel_reco_time": str(request["max_pixel_reco_time"]),
        "priority": str(request["priority"]),
        "predictive_scanning_threshold": f"{request['predictive_scanning_threshold']:g}",
        "classifiers": _lines(
            {
                name: value
                for name, value in request["classifiers"].items()
                if name not in ("rescan", "origin_scan_id")
            }
        ),
        "max_worker_runtime": str(request["max_worker_runtime"]),
        "worker_memory": str(request["worker_memory_bytes"]),
        "worker_disk": str(request["worker_disk_bytes"]),
        "scanner_server_memory": str(request["scanner_server_memory_bytes"]),
        "scanner_server_env": _lines(
            {name: value for name, value in request["scanner_server_env_from_user"].items() if value != MASK}
        ),
        "client_logs": "on" if "client-logs" in request["debug_mode"] else "",
        **{f"{WORKERS}{name}": str(n_workers) for name, n_workers in workers.items()},
    }


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{name}={value if isinstance(value, str) else orjson.dumps(value).decode()}"
        for name, value in values.items()
    )


def arguments_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Make the arguments of `POST /scan` that a form stands for, as its user has typed them.

    What they must be is for the interface's own validation to say.

    Raises:
        InvalidArguments: a field cannot be read at all.
    """
    problems: dict[str, str] = {}
    arguments: dict[str, Any] = {
        "docker_tag": fields.get("docker_tag", "").strip(),
        "reco_algo": fields.get("reco_algo", "").strip(),
        "real_or_simulated_event": fields.get("real_or_simulated_event", ""),
        "max_pixel_reco_time": read_number(fields.get("max_pixel_reco_time", "")),
        "priority": read_number(fields.get("priority", "") or "0"),
        "predictive_scanning_threshold": read_number(fields.get("predictive_scanning_threshold", "") or "1"),
        "debug_mode": ["client-logs"] if fields.get("client_logs") else [],
    }
    try:
        arguments["nsides"] = read_nsides(fields.get("nsides", ""))
    except ValueError as error:
        problems["nsides"] = str(error)
    for name in ("classifiers", "scanner_server_env"):
        try:
            arguments[name] = read_labels(fields.get(name, ""))
        except ValueError as error:
            problems[name] = str(error)
    for name in ("max_worker_runtime", "worker_memory", "worker_disk", "scanner_server_memory"):
        if text := fields.get(name, "").strip():
            arguments[name] = read_number(text)
    clusters = clusters_of(fields)
    if clusters:
        arguments["cluster"] = clusters
    else:
        problems["cluster"] = "ask for workers on one cluster at least"
    event = fields.get("event", "").strip()
    if event:
        arguments["event_i3live_json"] = event
    elif fields.get("i3_event_id"):
        arguments["i3_event_id"] = fields["i3_event_id"]
    if problems:
        raise InvalidArguments(problems)
    return arguments


def changes_of(fields: Mapping[str, str], before: Mapping[str, str]) -> dict[str, Any]:
    """Make the arguments of a rescan: those that differ from the earlier scan's, and what becomes of it.

    Args:
        fields: of the form.
        before: the fields as the earlier scan was asked for.

    Raises:
        InvalidArguments: a field cannot be read.
    """
    # The event stays, and a box that is not ticked is not sent.
    now = {**fields, "client_logs": fields.get("client_logs", ""), "event": ""}
    asked, former = arguments_of({**_kept(before, fields), **now}), _arguments_before(before)
    changes = {name: value for name, value in asked.items() if former.get(name) != value}
    changes.pop("i3_event_id", None)
    return {
        **changes,
        "abort_first": bool(fields.get("abort_first")),
        "replace_scan": bool(fields.get("replace_scan")),
    }


def _kept(before: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Say what stays of the earlier scan's fields where a form does not send them.

    A form sends a field for each known cluster. One that it does not send is known no longer: no scan can ask
    for it.
    """
    has_workers = any(name.startswith(WORKERS) for name in fields)
    return {
        name: text
        for name, text in before.items()
        if not (has_workers and name.startswith(WORKERS) and name not in fields)
    }


def _arguments_before(before: Mapping[str, str]) -> dict[str, Any]:
    try:
        return arguments_of(before)
    except InvalidArguments:
        return {}


def clusters_of(fields: Mapping[str, str]) -> list[list[Any]]:
    """Read how many workers are asked for, by cluster; those of none are left out."""
    return [
        [name.removeprefix(WORKERS), read_number(text)]
        for name, text in fields.items()
        if name.startswith(WORKERS) and text.strip() not in ("", "0")
    ]


def read_nsides(text: str) -> dict[str, Any]:
    """Read a progression such as `8:0 64:12 512:24`.

    Raises:
        ValueError: it is none.
    """
    found: dict[str, Any] = {}
    for part in text.replace(",", " ").split():
        nside, colon, extension = part.partition(":")
        if not colon or nside in found:
            raise ValueError("must be like 8:0 64:12 512:24, each nside once")
        found[nside] = read_number(extension)
    return found


def read_labels(text: str) -> dict[str, Any]:
    """Read labels: a line `NAME=VALUE` each.

    Raises:
        ValueError: a line is none.
    """
    found: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals:
            raise ValueError("must have a line NAME=VALUE for each")
        try:
            said = read_json(value.encode())
        except ValueError:
            said = value.strip()
        found[name.strip()] = said if isinstance(said, bool | int | float) else value.strip()
    return found


def read_number(text: str) -> Any:
    """Read a number; what is none stays as it is, so that it is refused in the interface's own words."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def shown_form(
    fields: Mapping[str, str], *, problems: Mapping[str, str] | None = None, key: str = ""
) -> dict[str, Any]:
    """Describe the form for a template.

    Args:
        fields: what is filled in.
        problems: what is wrong, by the arguments' names.
        key: of the form, if it is shown again.
    """
    filled = {**DEFAULTS, **fields}
    found = {_field(name): sentence for name, sentence in (problems or {}).items()}
    clusters = [
        {
            "name": name,
            "field": f"{WORKERS}{name}",
            "value": filled.get(f"{WORKERS}{name}", ""),
            "max_workers": cluster.max_workers,
            "max_debug_workers": cluster.max_debug_workers,
        }
        for name, cluster in sorted(known_clusters().items())
    ]
    known = {*DEFAULTS, "cluster"}
    return {
        "fields": filled,
        "problems": {name: found.get(name, "") for name in sorted(known)},
        "general": [
            f"{name}: {sentence}" if name else sentence
            for name, sentence in found.items()
            if name not in known
        ],
        "clusters": clusters,
        "reco_algos": RECO_ALGOS,
        "nsides": NSIDES,
        "kinds": KINDS,
        "event": event_summary(filled["event"]),
        "key": key,
    }


def refused_form(form: Form, error: SkyDriverError) -> dict[str, Any]:
    """Describe a form that was sent and refused: as it was filled in, with what is wrong.

    Args:
        form: what was sent.
        error: why it was refused.
    """
    problems = error.problems if isinstance(error, InvalidArguments) else {"": str(error)}
    # The same form sent again may be what was done already; a changed one is another.
    key = form.key if isinstance(error, TemporaryError) else ""
    return shown_form(form.fields, problems=problems, key=key)


def _field(argument: str) -> str:
    """Name the field that an argument is typed in."""
    name = argument.partition(".")[0]
    return {"event_i3live_json": "event", "debug_mode": "client_logs"}.get(name, name)


def event_summary(text: str) -> list[tuple[str, str]]:
    """Say what is in an event, as far as its text can be read: names and values.

    Events of the realtime system since 2021 name run, number and time in `value.data`; older ones hold frames
    only, which are not read here.
    """
    try:
        event = read_json(text.encode()) if text.strip() else None
    except ValueError:
        return []
    value = event.get("value") if isinstance(event, dict) else None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(event, dict) or not isinstance(data, dict):
        return []
    streams = value.get("streams") if isinstance(value, dict) else None
    reco = data.get("reco") if isinstance(data.get("reco"), dict) else {}
    found = [
        ("Run", data.get("run_id")),
        ("Event", data.get("event_id")),
        ("Time", data.get("eventtime")),
        ("Name", data.get("unique_id")),
        ("Streams", ", ".join(map(str, streams)) if isinstance(streams, list) else None),
        ("Channels hit", data.get("nch")),
        ("Charge (photoelectrons)", data.get("qtot")),
        ("Reconstructions", ", ".join(map(str, reco)) if reco else None),
        ("Made by", event.get("service")),
    ]
    return [(name, str(value)[:200]) for name, value in found if value is not None]
