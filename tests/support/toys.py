"""A project of two toy functions: its manifests, for tests to change and to run."""

import json
from pathlib import Path

import yaml

KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
"""

BASE = f"""{KUSTOMIZATION}
resources: [services.yaml, eventing.yaml]
labels: [{{pairs: {{part-of: toys}}}}]
configMapGenerator:
  - {{name: settings, envs: [settings.env]}}
  - {{name: files, files: [routes.yaml]}}
"""

SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: {name}}}
spec:
  template:
    spec:
      timeoutSeconds: 30
      containers:
        - image: toys
          env:
            - {{name: FUNCTION_SOURCE, value: toys/{name}.py}}
            - {{name: FUNCTION_TARGET, value: {name}}}
          envFrom: [{{configMapRef: {{name: settings}}}}, {{secretRef: {{name: secrets}}}}]
          volumeMounts: [{{name: files, mountPath: /etc/toys}}]
      volumes: [{{name: files, configMap: {{name: files}}}}]
"""

EVENTING = """
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: toys}
spec:
  delivery:
    retry: 3
    backoffPolicy: linear
    backoffDelay: PT0.05S
    timeout: PT1M
    deadLetterSink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hear}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: said}
spec:
  broker: toys
  filters: [{exact: {type: said}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hear}}
---
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: often}
spec:
  schedule: "* * * * *"
  sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hear}}
---
apiVersion: sources.knative.dev/v1
kind: SinkBinding
metadata: {name: binding}
spec:
  subject: {apiVersion: serving.knative.dev/v1, kind: Service, selector: {matchLabels: {part-of: toys}}}
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: toys}}
"""

SAY = """
import os

import functions_framework.aio
import httpx
from starlette.responses import JSONResponse


@functions_framework.aio.http
async def say(request):
    what = request.url.path.rpartition("/")[2]
    event = {"ce-specversion": "1.0", "ce-id": what, "ce-source": "/say", "ce-type": "said"}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(os.environ["K_SINK"], headers={**event, "ce-subject": what})
        answer.raise_for_status()
    return JSONResponse({name: os.environ[name] for name in ("COLOUR", "SKYDRIVER_URL", "MONGODB_URI")})
"""

HEAR = """
import json
import os
from pathlib import Path

import functions_framework.aio
from starlette.responses import Response


@functions_framework.aio.http
async def hear(request):
    heard = Path(os.environ["HEARD"])
    event = {name[3:]: value for name, value in request.headers.items() if name.startswith("ce-")}
    subject = event.get("subject", "")
    times = heard.read_text().count(f'"subject": "{subject}"') if heard.exists() else 0
    with heard.open("a") as file:
        file.write(json.dumps(event) + "\\n")
    if "knativeerrorcode" in event:
        return Response(status_code=204)
    if subject == "busy":
        return Response(status_code=503 if times < 2 else 204)
    if subject == "never":
        return Response("it never will", status_code=422)
    if subject == "body" and times < 4:
        return "OK"
    if subject == "fault":
        raise RuntimeError("a fault")
    return Response(status_code=204)
"""

OVERLAY = f"""{KUSTOMIZATION}
namespace: toys
resources: [../../base]
configMapGenerator: [{{name: settings, behavior: merge, envs: [more.env]}}]
"""


class Toys:
    """The files of the overlay; `root` is where a project's are."""

    def __init__(self, root: Path) -> None:
        self.root = root = root.resolve()
        self.base = root / "knative" / "base"
        self.overlay = root / "knative" / "overlays" / "local"
        for folder in (self.base, self.overlay):
            folder.mkdir(parents=True)
        (self.base / "kustomization.yaml").write_text(BASE)
        services = "---".join(SERVICE.format(name=name) for name in ("say", "hear"))
        (self.base / "services.yaml").write_text(services)
        (self.base / "eventing.yaml").write_text(EVENTING)
        heard = root / "heard"
        settings = f"# shared\nCOLOUR=red\nS3_BUCKET=toys\nHEARD={heard}\nROUTES_FILE=/etc/toys/routes.yaml\n"
        (self.base / "settings.env").write_text(settings)
        (self.base / "routes.yaml").write_text("routes: [{method: POST, path: '/say/{what}', service: say}]")
        (self.overlay / "kustomization.yaml").write_text(OVERLAY)
        (self.overlay / "more.env").write_text("COLOUR=blue\nSHAPE=round\n")

    def write_functions(self) -> None:
        """Add the functions themselves: `say` publishes what it is told, `hear` notes what it gets.

        To the subjects `busy` (twice), `never`, `body` (four times) and `fault`, `hear` answers wrongly.
        """
        folder = self.root / "toys"
        folder.mkdir()
        (folder / "say.py").write_text(SAY)
        (folder / "hear.py").write_text(HEAR)

    def heard(self, subject: str) -> list[dict[str, str]]:
        """The attributes of the events that `hear` has got of a subject, in order."""
        path = self.root / "heard"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event.get("subject", event["type"]) == subject]

    def extend(self, text: str) -> None:
        """Add lines to the overlay's kustomization."""
        path = self.overlay / "kustomization.yaml"
        path.write_text(path.read_text() + text)

    def patch(self, kind: str, *operations: object, name: str = ".*") -> None:
        """Add a JSON patch to the overlay."""
        target = {"kind": kind, "name": name}
        self.extend(yaml.safe_dump({"patches": [{"target": target, "patch": yaml.safe_dump(operations)}]}))
