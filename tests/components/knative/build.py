"""Build Knative Eventing from its Go module, and keep the manifests that the module installs it by.

`module/go.mod` names the module, and `module/go.sum` pins all that it needs. To move to another version:
change it in go.mod, run `go mod tidy` there, and change VERSION; v0.47 is the module of Knative 1.20.

Knative's servers listen on all interfaces, and two of their ports cannot be chosen. Tests listen on loopback
only, so four lines are changed: a server binds the address that LISTEN_ON names, one of 127.0.0.0/8 for each.
"""

import json
import shutil
from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.gomodule import build_programs, run

VERSION = "0.47.0-2"
PROGRAMS = (
    "broker/filter",
    "broker/ingress",
    "controller",
    "in_memory/channel_controller",
    "in_memory/channel_dispatcher",
    "mtchannel_broker",
    "mtping",
    "webhook",
)
"""The programs, as folders of the module's `cmd/`; each is built under the last part of its name."""
MANIFESTS = ("core", "brokers/mt-channel-broker", "channels/in-memory-channel")
"""What is installed, as folders of the module's `config/`."""

_EVENTING = "knative.dev/eventing"
_MODULE = Path(__file__).parent / "module"
_LISTENS = {
    "knative.dev/eventing/pkg/kncloudevents/event_receiver.go": (
        'fmt.Sprintf(":%d", recv.desiredPort)',
        'fmt.Sprintf("%s:%d", os.Getenv("LISTEN_ON"), recv.desiredPort)',
    ),
    "knative.dev/pkg/webhook/webhook.go": (
        'fmt.Sprint(":", wh.Options.Port)',
        'fmt.Sprint(os.Getenv("LISTEN_ON"), ":", wh.Options.Port)',
    ),
    "knative.dev/pkg/injection/health_check.go": (
        '":" + strconv.Itoa(port)',
        'os.Getenv("LISTEN_ON") + ":" + strconv.Itoa(port)',
    ),
    "knative.dev/pkg/observability/runtime/pprof.go": ('":" + port', 'os.Getenv("LISTEN_ON") + ":" + port'),
}


def build(folder: Path) -> None:
    """Build the programs into a folder, and put their manifests beside them.

    Raises:
        Unbuildable: there is no (new enough) Go here, or a source is not as it was.
    """
    source = folder / "source"
    shutil.copytree(_MODULE, source)
    run("go", "mod", "vendor", folder=source)
    for file, (old, new) in _LISTENS.items():
        _change(source / "vendor" / file, old, new)
    programs = [f"{_EVENTING}/cmd/{program}" for program in PROGRAMS]
    build_programs(folder, module=source, programs=programs, options=["-mod=vendor"])
    _keep_manifests(folder / "config")
    shutil.rmtree(source)


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    if text.count(old) != 1:
        raise Unbuildable(f"{file.name} does not listen as it did: {old}")
    if '\t"os"\n' not in text:
        text = text.replace("import (\n", 'import (\n\t"os"\n', 1)
    file.write_text(text.replace(old, new))


def _keep_manifests(folder: Path) -> None:
    downloaded = json.loads(run("go", "mod", "download", "-json", _EVENTING, folder=_MODULE))
    config = Path(downloaded["Dir"]) / "config"
    for path in sorted(file for part in MANIFESTS for file in (config / part).rglob("*.yaml")):
        kept = folder / path.relative_to(config)
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Without its mode: in a module cache all is read-only.
        shutil.copyfile(path, kept)
