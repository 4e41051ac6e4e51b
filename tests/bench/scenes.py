"""Scans and requests that rows need: of a realistic size, and for every function something to do."""

import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import bson
import orjson

from skydriver.eventing.codec import encode
from skydriver.eventing.events import outbox_entry
from skydriver.model.documents import ResultPointer
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.subscriptions import NotifiedEvent, Protocol
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import location_key
from skydriver.notify.links import confirm_token, unsubscribe_token
from skydriver.settings import known_clusters, settings
from skydriver.store import deliveries, i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.ui.forms import TOKEN, own_host, token_for
from skydriver.ui.render import static_url
from tests.bench.servers import request
from tests.bench.stage import Stage
from tests.support.documents import METADATA, cluster, scan, written
from tests.support.functions import SOURCES
from tests.support.skymaps import as_result, fisher, scanned
from tests.support.subscribers import subscribed

Document = Any

DOCUMENT_SIZE = 6_000
"""Bytes of a scan in BSON, as of one that runs on a few clusters."""
SCAN, WITHOUT_RESULT, ENDED = "running", "unreported", "ended"
DRAWN, NOTICED = "drawn", "noticed"
USER = "bench"
"""Whose token the issuer makes."""


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


async def store_result(scan_id: str, content: bytes, *, is_final: bool = True) -> None:
    """Store a scan's result."""
    version = await results.put(scan_id, content)
    pointer: ResultPointer = {
        "version": version,
        "is_final": is_final,
        "attempt": 1,
        "bytes": len(content),
        "came_at": time.time(),
    }
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


@dataclass(frozen=True)
class Call:
    """What a function is asked.

    Attributes:
        request: as it is sent.
        prepare: makes it possible once more, if it is possible once only.
    """

    request: bytes
    prepare: Callable[[], Awaitable[object]] | None = None


async def every_function(stage: Stage) -> dict[str, Call]:
    """Store what each function needs for a 2xx or a page's 303, and return the calls by the functions' files.

    Raises:
        RuntimeError: a function has no call here.
    """
    await store(SCAN, Phase.RUNNING)
    await store(WITHOUT_RESULT, Phase.RUNNING)
    await store(ENDED, Phase.ENDED, clusters=[cluster("u0", ClusterState.STOPPED, name="c0")])
    await store_result(SCAN, orjson.dumps({"nside-8": [1.0] * 100}))
    result = orjson.dumps(as_result(scanned(fisher(77.4, 5.7, 0.6))))
    await store(DRAWN, Phase.RUNNING)
    # Of a partial result no product is kept: each is made when it is asked for.
    await store_result(DRAWN, result, is_final=False)
    await store(NOTICED, Phase.RUNNING)
    requests = {**_api(stage), **_skymaps(stage), **_steps(), **_pages(stage)}
    calls = {source: Call(wanted) for source, wanted in requests.items()}
    # There is a notice of a final result only, and a new one's is not kept yet.
    calls["api/get_gcn_notice"] = Call(
        _ask(stage, "GET", f"/scan/{NOTICED}/gcn-notice"), partial(store_result, NOTICED, result)
    )
    calls |= await _subscriptions(stage)
    missing = {f"{path.parent.name}/{path.stem}" for path in SOURCES} - calls.keys()
    if missing:
        raise RuntimeError(
            f"there is no call for {', '.join(sorted(missing))}: add one to tests/bench/scenes.py"
        )
    return calls


def _ask(stage: Stage, method: str, path: str, content: Document | None = None, **headers: str) -> bytes:
    body = b"" if content is None else json.dumps(content).encode()
    return request(method, path, token=stage.issuer.token(), headers=headers, body=body)


def _api(stage: Stage) -> dict[str, bytes]:
    ask = partial(_ask, stage)
    ready = {
        "specversion": "1.0",
        "id": "1",
        "source": "bench",
        "type": "org.icecube.skydriver.scanner.ready.v1",
    }
    return {
        "api/get_root": ask("GET", "/"),
        "api/get_docs": ask("GET", "/docs"),
        "api/get_openapi": ask("GET", "/openapi.json"),
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
        "api/get_scan_request": ask("GET", f"/scan-request/{SCAN}"),
        "api/get_workforce": ask("GET", f"/scan/{SCAN}/ewms/workforce"),
        "api/get_taskforces": ask("GET", f"/scan/{SCAN}/ewms/taskforces"),
        "api/get_workflow_id": ask("GET", f"/scan/{SCAN}/ewms/workflow-id"),
        "api/rescan": ask("POST", f"/scan/{SCAN}/actions/rescan", {}),
        "api/add_workers": ask("POST", f"/scan/{SCAN}/actions/add-workers", {"cluster": {"c1": 1}}),
        "api/find_scans": ask("POST", "/scans/find", {"filter": {"scan_id": SCAN}}),
        "api/get_backlog": ask("GET", "/scans/backlog"),
        "api/get_overview": ask("GET", "/scans/overview"),
        "api/report_scanner_event": ask(
            "POST", f"/scan/{SCAN}/events", ready, **{"Content-Type": "application/cloudevents+json"}
        ),
    }


def _skymaps(stage: Stage) -> dict[str, bytes]:
    ask = partial(_ask, stage, "GET")
    return {
        "api/find_skymap": ask("/skymaps?run=130033&event=50579430"),
        "api/get_skymap": ask(f"/scan/{DRAWN}/skymap"),
        "api/get_contours": ask(f"/scan/{DRAWN}/contours"),
        "api/get_moc": ask(f"/scan/{DRAWN}/moc"),
        **{
            f"api/get_skymap_{kind}": ask(f"/scan/{DRAWN}/skymap.{kind}")
            for kind in ("fits", "png", "svg", "pdf")
        },
    }


def _steps() -> dict[str, bytes]:
    location = location_key("local", known_clusters()["c0"].location.model_dump())
    return {
        "steps/launch_scanner": step_request(Fact.REQUESTED, ENDED),
        "steps/request_workers": step_request(Fact.READY, ENDED),
        "steps/start_workers": step_request(Fact.WORKERS_REQUESTED, ENDED, {"uuid": "u0"}),
        "steps/observe_workers": step_request(Fact.OBSERVATION_REQUESTED, location),
        "steps/stop_workers": step_request(Fact.WORKERS_UNWANTED, ENDED, {"uuid": "u0"}),
        "steps/tear_down": step_request(Fact.FINISHED, ENDED),
        "steps/notify_subscribers": step_request(Fact.FINISHED, ENDED),
        "steps/record_failure": step_request(Fact.PROGRESS_REPORTED, ENDED),
        "cron/sweep": step_request(Fact.OBSERVATION_REQUESTED, "clock"),
    }


def _page(stage: Stage, method: str, path: str, **fields: str) -> bytes:
    headers = {"Accept": "text/html", "X-Forwarded-Host": own_host()}
    body = b""
    if method == "POST":
        headers |= {"Origin": settings().skydriver_url, "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({TOKEN: token_for(USER), **fields}).encode()
    return request(method, path, token=stage.issuer.token(), headers=headers, body=body)


def _pages(stage: Stage) -> dict[str, bytes]:
    page = partial(_page, stage)
    return {
        "ui/now": page("GET", "/ui"),
        "ui/scan": page("GET", f"/ui/scan/{SCAN}"),
        "ui/find": page("GET", "/ui/find"),
        "ui/new": page("GET", "/ui/new"),
        "ui/subscriptions": page("GET", "/ui/subscriptions"),
        "ui/scan_action": page("POST", f"/ui/scan/{SCAN}/rescan"),
        "ui/login": page("GET", "/ui/login"),
        "ui/logout": page("POST", "/ui/logout"),
        "ui/static": page("GET", static_url("live.js")),
    }


async def _subscriptions(stage: Stage) -> dict[str, Call]:
    sink = stage.environment["K_SINK"].replace("/broker", "/webhook")
    own = await subscribed(sink, owner=USER)
    path = f"/subscriptions/{own}"
    event: NotifiedEvent = {
        "id": f"{ENDED}/{Fact.FINISHED}/1",
        "source": "bench",
        "type": f"org.icecube.skydriver.{Fact.FINISHED}.v1",
        "subject": ENDED,
        "time": "2024-06-18T12:00:00+00:00",
    }
    delivery = deliveries.new_delivery(own, event, now=time.time())
    address = "jane@example.org"
    by_mail = await subscribed(address, owner=USER, protocol=Protocol.EMAIL, consent=None)
    ask = partial(_ask, stage)

    async def make_due() -> None:
        due = {**delivery, "not_before": 0.0}
        await collection(deliveries.NAME).replace_one({"_id": due["_id"]}, due, upsert=True)

    asked = {"protocol": "HTTP", "sink": sink, "types": ["scan.finished"]}
    requests = {
        "api/create_subscription": ask("POST", "/subscriptions", asked, **{"Idempotency-Key": "bench"}),
        "api/find_subscriptions": ask("GET", "/subscriptions"),
        "api/get_subscription": ask("GET", path),
        "api/change_subscription": ask("PATCH", path, {"expires_in_days": 30}),
        "api/rotate_subscription_secret": ask("POST", f"{path}/rotate"),
        "api/test_subscription": ask("POST", f"{path}/test"),
        "ui/subscription_action": _page(stage, "POST", "/ui/subscriptions/renew", subscription_id=own),
        "ui/confirm_subscription": _page(
            stage, "GET", f"/subscriptions/{by_mail}/confirm?token={confirm_token(by_mail, address)}"
        ),
        "ui/unsubscribe": _page(
            stage, "GET", f"/subscriptions/{by_mail}/unsubscribe?token={unsubscribe_token(by_mail)}"
        ),
    }
    return {
        **{source: Call(wanted) for source, wanted in requests.items()},
        "api/delete_subscription": Call(
            ask("DELETE", "/subscriptions/removed"), partial(subscribed, sink, owner=USER, _id="removed")
        ),
        "steps/deliver_notification": Call(
            step_request(Fact.NOTIFICATION_DUE, ENDED, {"delivery": delivery["_id"]}), make_due
        ),
    }
