"""Databases of former installations: those of the reference data, and small ones in the same shapes."""

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymongo
from bson import json_util

from skydriver.store.mongo import collection

Document = dict[str, Any]
COLLECTIONS = ("Manifests", "Results", "ScanRequests", "I3Events", "ScanBacklog", "SkyScanK8sJobs")


class Former:
    """A former installation's database.

    Attributes:
        uri: leads to it.
        db: the database itself, as its own server would write into it.
    """

    def __init__(self, uri: str, name: str) -> None:
        self._client: pymongo.MongoClient[Document] = pymongo.MongoClient(uri)
        self.db = self._client[name]
        self.uri = urlsplit(uri)._replace(path=f"/{name}").geturl()

    def drop(self) -> None:
        """Remove it."""
        self._client.drop_database(self.db.name)
        self._client.close()

    def load(self, folder: Path) -> None:
        """Fill it with files as `mongoimport` takes them."""
        for file in folder.glob("[A-Z]*.json*"):
            name = file.name.split(".")[0]
            if name not in COLLECTIONS:
                continue
            raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            documents = [json_util.loads(line) for line in raw.splitlines()]
            if documents:
                self.db[name].insert_many(documents)

    def index(self) -> None:
        """Make the indexes that the original made."""
        for name in ("Manifests", "Results", "ScanRequests", "ScanBacklog"):
            self.db[name].create_index("scan_id", unique=True)
        self.db["I3Events"].create_index("i3_event_id", unique=True)

    def contents(self) -> dict[str, list[str]]:
        """Everything in it, as text, to see whether anything was written."""
        return {
            name: [json_util.dumps(one) for one in self.db[name].find().sort("_id", 1)]
            for name in sorted(self.db.list_collection_names())
        }


def answers(folder: Path) -> Any:
    """What the original's server answered of each scan."""
    return json.loads((folder / "answers.json").read_text())


def expected(folder: Path) -> Any:
    """What a reader must be able to say of each scan."""
    return json.loads((folder / "expected.json").read_text())


# --- small databases in the shapes of the three generations ------------------------------------------------

EVENT: Document = {"value": {"data": {"run_id": 138632, "event_id": 31747601}}, "note": "made up"}
TASK_ERRORS = {"TimeoutError: a. b. $c": 2}
TOKEN = "FAKE-SECRET-TOKEN-0001"


def result(scan_id: str, *, is_final: bool = True, llh: float = 2.0) -> Document:
    """A document of Results."""
    columns = ["index", "llh", "E_in", "E_tot"]
    data = [[n, llh + n, 1e4, float("nan")] for n in range(12)]
    return {
        "scan_id": scan_id,
        "is_final": is_final,
        "skyscan_result": {"nside-1": {"columns": columns, "data": data, "metadata": {"nside": 1}}},
    }


def progress(*, finished: bool = False, rate: bool = True) -> Document:
    """What a scanner of v3 reports."""
    return {
        "summary": "The Skymap Scanner is busy.",
        "epilogue": "",
        "tallies": {"total pixels": 12},
        "processing_stats": {
            "start": {"scanner start": "2023-12-08 10:03:36"},
            "runtime": {"elapsed": "0:10:00"},
            "rate": {"all recos": {"mean": "0:00:10"}} if rate else {},
            "end": "2023-12-08 10:13:36" if finished else "",
            "finished": finished,
            "predictions": {},
        },
        "predictive_scanning_threshold": 1.0,
        "last_updated": "2023-12-08 10:13:36",
    }


def _common(scan_id: str, changes: Document) -> Document:
    return {
        "scan_id": scan_id,
        "classifiers": {"level": "gold", "n": 1},
        "event_metadata": {
            "run_id": 138632,
            "event_id": 31747601,
            "event_type": "gfu-gold",
            "mjd": 60280.7,
            "is_real_event": True,
        },
        "is_deleted": False,
        "last_updated": 1_702_040_700.25,
        "progress": progress(finished=True),
        "scan_metadata": {"scan_id": scan_id, "nside_progression": {"1": 0, "2": 12}},
        "scanner_server_args": "python -m skymap_scanner.server  --reco-algo millipede_wilks "
        "--cache-dir /common-space  --nsides 1:0 2:12  --real-event  --predictive-scanning-threshold 0.5 ",
        "timestamp": 1_702_029_600.5,
        **changes,
    }


def _task(*, complete: bool = True) -> Document:
    url = "https://s3.example.org/bucket/startup?X-Amz-Signature=FAKE-SECRET-SIGNATURE"
    return {
        "tms_args": [
            "python -m clientmanager --uuid 01 condor --collector cm.example.org --schedd sub-2.example.org "
            "start --n-workers 200 --worker-memory-bytes 4000000000 --worker-disk-bytes 2000000000 "
            "--image /cvmfs/realtime/skymap_scanner:3.9.0 --max-worker-runtime 14400"
        ],
        "env_vars": {
            "scanner_server": [{"name": "SKYSCAN_SKYDRIVER_AUTH", "value": "***", "value_from": None}],
            "tms_starters": [[{"name": "EWMS_PILOT_TASK_TIMEOUT", "value": "1800", "value_from": None}]],
        },
        "clusters": [
            {
                "orchestrator": "condor",
                "location": {"collector": "cm.example.org", "schedd": "sub-2.example.org"},
                "n_workers": 200,
                "uuid": "e1cd35e04db98a73f139517ee7c2d761",
                "cluster_id": "94116742",
                "starter_info": {
                    "transfer_input_files": url,
                    "env": [{"name": "SKYSCAN_BROKER_AUTH", "value": TOKEN}],
                    "arguments": f"--token {TOKEN}",
                },
                "statuses": {"Completed": {"Done": 200}},
                "top_task_errors": TASK_ERRORS,
            }
        ],
        "complete": complete,
    }


def manifest_v1_inline(scan_id: str, **changes: Any) -> Document:
    """A manifest of v0.8 to v1.1: its event is in it, and it has no priority."""
    own = {
        "event_i3live_json_dict": EVENT,
        "event_i3live_json_dict__hash": "c5a8a311d140bcaa0861e7b20e95ecdb",
        "ewms_task": _task(),
    }
    return _common(scan_id, {**own, **changes})


def manifest_v1(scan_id: str, **changes: Any) -> Document:
    """A manifest of v1.2 and v1.3: its event is called by an id."""
    own = {
        "event_i3live_json_dict": "use 'i3_event_id'",
        "event_i3live_json_dict__hash": None,
        "i3_event_id": "6cd3be9389b64475ae795c5b261b326c",
        "ewms_task": _task(),
        "priority": 100,
    }
    return _common(scan_id, {**own, **changes})


def manifest_v2(scan_id: str, **changes: Any) -> Document:
    """A manifest of v2: its workers are a workflow of EWMS."""
    own = {
        "ewms_task": "use 'ewms_workflow_id'",
        "ewms_workflow_id": f"WF-{scan_id[:8]}",
        "ewms_address": "https://ewms.example.org",
        "replaced_by_scan_id": None,
        "progress": {**progress(finished=True), "start": 1_702_029_816, "end": 1_702_040_000},
    }
    return manifest_v1(scan_id, **{**own, **changes})


def event(event_id: str = "6cd3be9389b64475ae795c5b261b326c", content: Document = EVENT) -> Document:
    """A document of I3Events."""
    return {"i3_event_id": event_id, "json_dict": content}


def request(scan_id: str, **changes: Any) -> Document:
    """A document of ScanRequests of v1.3."""
    return {
        "scan_id": scan_id,
        "rescan_ids": [],
        "docker_tag": "3.22.1",
        "scanner_server_memory_bytes": 1_024_000_000,
        "reco_algo": "millipede_wilks",
        "nsides": {"1": 0, "2": 12},
        "real_or_simulated_event": "real",
        "predictive_scanning_threshold": 1.0,
        "classifiers": {"level": "gold"},
        "request_clusters": [["local", 2]],
        "worker_memory_bytes": 8_000_000_000,
        "worker_disk_bytes": 1_000_000_000,
        "max_pixel_reco_time": 60,
        "max_worker_runtime": 14_400,
        "priority": 0,
        "debug_mode": [],
        "skyscan_mq_client_timeout_wait_for_first_message": None,
        "i3_event_id": "6cd3be9389b64475ae795c5b261b326c",
        "rest_address": "https://skydriver.example.org",
        "scanner_server_env_from_user": {"MY_TOKEN": "FAKE-SECRET-OF-A-USER", "LEVEL": "2"},
        **changes,
    }


def waiting(scan_id: str) -> Document:
    """A document of ScanBacklog, with what must never be read: a pickle that would end the reader."""
    return {
        "scan_id": scan_id,
        "timestamp": 1_702_029_600.5,
        "pickled_k8s_job": b"cos\n_exit\n(I1\ntR.FAKE-SECRET",
        "priority": 0,
        "pending_timestamp": 0.0,
        "next_attempt": 0,
    }


def fill(former: Former, count: int = 12) -> list[str]:
    """Put scans of all generations into a database, a final result each; their ids."""
    ids = [f"{n:032x}" for n in range(1, count + 1)]
    makers = (manifest_v1_inline, manifest_v1, manifest_v2)
    former.db["Manifests"].insert_many([makers[n % 3](scan_id) for n, scan_id in enumerate(ids)])
    former.db["Results"].insert_many([result(scan_id, llh=float(n)) for n, scan_id in enumerate(ids)])
    former.db["I3Events"].insert_one(event())
    former.db["ScanRequests"].insert_many([request(ids[1]), request(ids[2], rescan_ids=[ids[4]])])
    return ids


async def stored() -> dict[str, Any]:
    """Everything that an import has written here, but for when."""
    found: dict[str, Any] = {}
    for name in ("scans", "results", "i3_events", "import_asides"):
        found[name] = [one async for one in collection(name).find({}).sort("_id", 1)]
    for scan in found["scans"]:
        scan.get("imported", {}).pop("at", None)
    for one in found["i3_events"]:
        del one["used_at"]
    for one in found["import_asides"]:
        del one["at"]
    return found
