"""A project of two toy functions: its manifests, for tests to change and to run."""

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
    backoffDelay: PT0.5S
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
        (self.base / "settings.env").write_text("# shared\nCOLOUR=red\nROUTES_FILE=/etc/toys/routes.yaml\n")
        (self.base / "routes.yaml").write_text("routes: [{method: POST, path: '/say/{what}', service: say}]")
        (self.overlay / "kustomization.yaml").write_text(OVERLAY)
        (self.overlay / "more.env").write_text("COLOUR=blue\nSHAPE=round\n")

    def extend(self, text: str) -> None:
        """Add lines to the overlay's kustomization."""
        path = self.overlay / "kustomization.yaml"
        path.write_text(path.read_text() + text)

    def patch(self, kind: str, *operations: object, name: str = ".*") -> None:
        """Add a JSON patch to the overlay."""
        target = {"kind": kind, "name": name}
        self.extend(yaml.safe_dump({"patches": [{"target": target, "patch": yaml.safe_dump(operations)}]}))
