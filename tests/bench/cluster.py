"""Cold start where it counts: through the ingress of a real cluster, beside hello-world on the same one."""

import time
from collections import defaultdict

import httpx
import yaml

from tests.bench.figures import Figure, alternate, at_most
from tests.bench.rows import Row
from tests.bench.servers import HELLO_SOURCE
from tests.bench.stage import Stage
from tests.cluster.box import FUNCTIONS, NAMESPACE, OVERLAY, Backends, Box, box
from tests.cluster.images import images
from tests.conftest import ROOT
from tests.system.conftest import scan_arguments

_WARM = 5
"""Requests to an instance that has answered one."""
_SUBMISSION = scan_arguments(docker_tag="3.22.0", worker_memory="256M")
_FIRST = {**_SUBMISSION, "scanner_server_memory": "1T"}
"""Takes the only place for scans: its scanner server fits on no node, and nothing runs beside what counts."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it: a quarter of an hour, for the most part until nothing runs any more."""
    environment = stage.environment
    backends = Backends(
        environment["MONGODB_URI"], environment["S3_ENDPOINT_URL"], environment["S3_BUCKET"], keycloak=None
    )
    folder = stage.folder / "cluster"
    folder.mkdir()
    with (
        box(folder, backends, settings={"SCANS_RUNNING": "1"}, say=print) as running,
        httpx.Client(trust_env=False, timeout=120.0) as client,
    ):
        _deploy_hello(running)
        running.request("POST", "/scan", json=_FIRST).raise_for_status()
        asked = {
            "hello": ("hello", client.build_request("GET", running.inside, headers={"Host": _host("hello")})),
            "read": ("get-backlog", client.build_request("GET", f"{running.url}/scans/backlog")),
            "submit": ("create-scan", client.build_request("POST", f"{running.url}/scan", json=_SUBMISSION)),
        }
        warm: dict[str, list[float]] = defaultdict(list)

        async def first(name: str) -> float:
            function, request = asked[name]
            running.until(lambda: not running.pods(f"{FUNCTIONS}={function}"), f"no {function}", 300.0)
            cold = _timed(client, request)
            warm[name].append(min(_timed(client, request) for _ in range(_WARM)))
            return cold

        cold = await alternate(
            rounds, hello=lambda: first("hello"), read=lambda: first("read"), submit=lambda: first("submit")
        )
    names = {"read": "`GET /scans/backlog`", "submit": "`POST /scan`"}
    return [
        *(
            Figure.of(f"{what}, from zero", cold[name], cold["hello"], "ms", at_most(1.3))
            for name, what in names.items()
        ),
        *(Figure.of(f"{what}, warm", warm[name], warm["hello"], "ms") for name, what in names.items()),
    ]


def _timed(client: httpx.Client, request: httpx.Request) -> float:
    began = time.perf_counter()
    client.send(request).raise_for_status()
    return 1000 * (time.perf_counter() - began)


def _host(function: str) -> str:
    return f"{function}.{NAMESPACE}.svc.cluster.local"


def _deploy_hello(running: Box) -> None:
    """Deploy functions-framework's hello-world, in the image of our functions, with their requests."""
    (image,) = (
        one.tag for one in images(OVERLAY, ROOT / "knative" / "Dockerfile") if one.name == "skydriver"
    )
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hello"}}
    container = {
        "image": image,
        "command": ["python", "-m", "functions_framework", "--asgi"],
        "args": ["--target=hello", "--source=/hello/hello.py"],
        "volumeMounts": [{"name": "hello", "mountPath": "/hello"}],
        "resources": {"requests": {"cpu": "25m", "memory": "64Mi"}},
    }
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello", "labels": {"networking.knative.dev/visibility": "cluster-local"}},
        "spec": {
            "template": {
                "metadata": {"annotations": {"autoscaling.knative.dev/initial-scale": "0"}},
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "hello", "configMap": {"name": "hello"}}],
                },
            }
        },
    }
    content = yaml.safe_dump_all([{**files, "data": {"hello.py": HELLO_SOURCE.read_text()}}, service])
    running.kubectl("apply", "-f", "-", content=content)
    running.kubectl("wait", "ksvc", "hello", "--for=condition=Ready", "--timeout=300s")


ROW = Row(
    "cluster",
    "On a cluster, through the ingress: from zero to the first answer, and warm",
    "functions-framework's hello-world on the same cluster",
    run,
    rounds=15,
)
