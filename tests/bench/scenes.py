"""Scans and requests that rows need: of a realistic size, and for every function something to do."""

import json
import random
from typing import Any

import bson
import orjson

from skydriver.eventing.codec import encode
from skydriver.eventing.events import outbox_entry
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import location_key
from skydriver.settings import known_clusters
from skydriver.store import i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.bench.servers import request
from tests.bench.stage import Stage
from tests.support.documents import METADATA, cluster, scan, written

Document = Any

DOCUMENT_SIZE = 6_000
"""Bytes of a scan in BSON, as of one that runs on a few clusters."""
SCAN, WITHOUT_RESULT, ENDED = "running", "unreported", "ended"


def event(size: int, *, run: int = 130033, number: int = 50579430) -> Document:
    """Make an event of about so many bytes of JSON: pulses are most of one."""
    noise = random.Random(f"{run} {number}")  # noqa: S311 - not a secret
    pulses: list[list[float]] = []
    made: Document = {"run_id": run, "event_id": number, "pulses": pulses}
    for _ in range(max(0, size - 60) // 36):
        pulses.append([round(noise.uniform(1, 9), 6), noise.randrange(10_000), round(noise.random(), 15)])
    return made


def report(last_updated: str = "2024-06-18 12:05:28", *, finished: bool = False) -> Document:
    """Make the arguments of `PATCH manifest`."""
    return {
        "progress": {
            "summary": "Scanned 100 of 768 pixels",
            "epilogue": "",
            "tallies": {"total": 768, "by_nside": {str(n): {"done": n, "of": 4 * n} for n in (8, 16, 64)}},
            "processing_stats": {
                "start": {"scanner start": "2024-06-18 12:00:00"},
                "runtime": {"elapsed": "0:05:28", "rate": "0.3 s per pixel"},
                "finished": finished,
            },
            "predictive_scanning_threshold": 1.0,
            "last_updated": last_updated,
        },
        **METADATA,
    }


def running(scan_id: str | None = None, *, size: int = DOCUMENT_SIZE, **changes: Any) -> Document:
    """Make a running scan of about so many bytes."""
    clusters = {"clusters": [cluster("u0", name="c0")]}
    made = scan(Phase.RUNNING, asked={"cluster": {"c0": 2}}, **{**clusters, **METADATA, **changes})
    made["_id"] = made["scan_id"] = scan_id or made["_id"]
    made["progress"] = report()["progress"]
    missing = size - len(bson.encode(made))
    made["progress"]["epilogue"] = "x" * max(0, missing)
    return made


async def store(scan_id: str, phase: Phase, *, event_size: int = 1_000, **changes: Any) -> Document:
    """Store a scan with its event."""
    made = running(scan_id, **changes)
    made["phase"] = phase
    made["i3_event_id"] = made["request"]["i3_event_id"] = await i3_events.put(written(event(event_size)))
    await scan_document.insert(made)
    return made


async def store_result(scan_id: str, content: bytes) -> None:
    """Store a scan's result."""
    version = await results.put(scan_id, content)
    pointer = {"version": version, "is_final": True, "attempt": 1, "bytes": len(content)}
    await collection(scan_document.NAME).update_one({"_id": scan_id}, {"$set": {"result": pointer}})


def arguments(size: int = 1_000, *, number: int = 50579430, **changes: Any) -> Document:
    """Make the arguments of `POST /scan` with an event of about so many bytes."""
    return {
        "docker_tag": "3.22.1",
        "cluster": {"c0": 2},
        "reco_algo": "millipede_wilks",
        "event_i3live_json": event(size, number=number),
        "nsides": {"8": 0, "64": 12},
        "real_or_simulated_event": "simulated",
        "max_pixel_reco_time": 60,
        "scanner_server_memory": "1G",
        "worker_memory": "1G",
        "classifiers": {"bench": True, "alert": "gold"},
        **changes,
    }


def step_request(fact: Fact, subject: str, data: Document | None = None) -> bytes:
    """Write the request by which a broker hands over an event."""
    (said,) = outbox_entry(fact, subject=subject, cause="bench", data=data).values()
    headers, body = encode(said)
    return request("POST", "/", headers=headers, body=body)


async def every_function(stage: Stage) -> dict[str, bytes]:
    """Store what each function needs for a 2xx, and return the requests by the functions' files."""
    await store(SCAN, Phase.RUNNING)
    await store(WITHOUT_RESULT, Phase.RUNNING)
    await store(ENDED, Phase.ENDED, clusters=[cluster("u0", ClusterState.STOPPED, name="c0")])
    await store_result(SCAN, orjson.dumps({"nside-8": [1.0] * 100}))
    token = stage.issuer.token()
    location = location_key("local", known_clusters()["c0"].location.model_dump())

    def ask(method: str, path: str, content: Document | None = None, **headers: str) -> bytes:
        body = b"" if content is None else json.dumps(content).encode()
        return request(method, path, token=token, headers=headers, body=body)

    ready = {
        "specversion": "1.0",
        "id": "1",
        "source": "bench",
        "type": "org.icecube.skydriver.scanner.ready.v1",
    }
    return {
        "api/get_root": ask("GET", "/"),
        "api/create_scan": ask("POST", "/scan", arguments()),
        "api/get_scan": ask("GET", f"/scan/{SCAN}"),
        "api/delete_scan": ask("DELETE", f"/scan/{ENDED}", {"delete_completed_scan": True}),
        "api/get_manifest": ask("GET", f"/scan/{SCAN}/manifest"),
        "api/patch_manifest": ask("PATCH", f"/scan/{SCAN}/manifest", report()),
        "api/get_result": ask("GET", f"/scan/{SCAN}/result"),
        "api/put_result": ask(
            "PUT", f"/scan/{WITHOUT_RESULT}/result", {"skyscan_result": {"a": 1}, "is_final": False}
        ),
        "api/get_status": ask("GET", f"/scan/{SCAN}/status"),
        "api/get_logs": ask("GET", f"/scan/{SCAN}/logs"),
        "api/get_i3_event": ask("GET", f"/scan/{SCAN}/i3-event"),
        "api/get_history": ask("GET", f"/scan/{SCAN}/history"),
        "api/rescan": ask("POST", f"/scan/{SCAN}/actions/rescan", {}),
        "api/find_scans": ask("POST", "/scans/find", {"filter": {"scan_id": SCAN}}),
        "api/get_backlog": ask("GET", "/scans/backlog"),
        "api/report_scanner_event": ask(
            "POST", f"/scan/{SCAN}/events", ready, **{"Content-Type": "application/cloudevents+json"}
        ),
        "steps/launch_scanner": step_request(Fact.REQUESTED, ENDED),
        "steps/request_workers": step_request(Fact.READY, ENDED),
        "steps/start_workers": step_request(Fact.WORKERS_REQUESTED, ENDED, {"uuid": "u0"}),
        "steps/observe_workers": step_request(Fact.OBSERVATION_REQUESTED, location),
        "steps/stop_workers": step_request(Fact.WORKERS_UNWANTED, ENDED, {"uuid": "u0"}),
        "steps/tear_down": step_request(Fact.FINISHED, ENDED),
        "steps/record_failure": step_request(Fact.PROGRESS_REPORTED, ENDED),
        "cron/sweep": step_request(Fact.OBSERVATION_REQUESTED, "clock"),
    }
