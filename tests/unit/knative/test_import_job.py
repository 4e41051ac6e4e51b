"""The Job of `knative/import/`: it runs our image's import by the functions' settings, without rights."""

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import yaml

from skydriver.importing.commands import SOURCE_VARIABLE
from skydriver.local.knative import kustomize
from skydriver.settings import Settings
from tests.components import missing
from tests.components.build import folder_of

FOLDER = Path(__file__).parents[3] / "knative" / "import"
LABEL = "app.kubernetes.io/component"


def applied(resources: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What `kubectl apply -l` takes of a build, as docs/migrate.md says, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in resources:
        if one["metadata"].get("labels", {}).get(LABEL) == "import":
            found.setdefault(one["kind"], []).append(one)
    return found


def test_the_job_runs_the_import_of_the_functions_image() -> None:
    found = applied(list(kustomize.build(FOLDER).resources))
    functions = kustomize.build(FOLDER.parent / "overlays" / "prod").resources
    images = {
        one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in functions
        if one["metadata"]["name"] == "sweep" and one["apiVersion"].startswith("serving.knative.dev")
    }
    (job,), (account,) = found["Job"], found["ServiceAccount"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {container["image"]} == images
    python, dash_m, module = container["command"]
    assert (python, dash_m) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    assert [one["secretRef"]["name"] for one in container["envFrom"] if "secretRef" in one] == [
        "skydriver-database",
        "skydriver-import",
    ]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is False
    assert SOURCE_VARIABLE in (FOLDER / "job.yaml").read_text()


def test_the_job_has_the_settings_and_files_of_functions_and_applies_nothing_else_of_them() -> None:
    found = applied(list(kustomize.build(FOLDER).resources))
    assert found.keys() == {"Job", "ServiceAccount", "ConfigMap"}
    maps = {one["metadata"]["name"]: one["data"] for one in found["ConfigMap"]}
    pod = found["Job"][0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (named,) = (one["configMapRef"]["name"] for one in container["envFrom"] if "configMapRef" in one)
    settings = maps[named]
    assert "env" not in container
    assert settings["SCANNER_BACKEND"] == "kubernetes"
    read = Settings.model_validate({**{name.lower(): one for name, one in settings.items()}, "k_sink": ""})
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert str(read.clusters_file.parent) == mount["mountPath"]
    assert volume["name"] == mount["name"]
    assert read.clusters_file.name in maps[volume["configMap"]["name"]]


def test_kustomize_gives_the_job_the_names_of_the_config_maps_beside_it() -> None:
    kustomize_itself = folder_of("kustomize") / "kustomize"
    if not kustomize_itself.exists():
        missing("kustomize", "it is not built")
    out = subprocess.run(
        [str(kustomize_itself), "build", str(FOLDER)], check=True, capture_output=True, text=True
    ).stdout
    found = applied(list(yaml.load_all(out, yaml.CSafeLoader)))
    assert found.keys() == {"Job", "ServiceAccount", "ConfigMap"}
    pod = found["Job"][0]["spec"]["template"]["spec"]
    named = {one["configMapRef"]["name"] for one in pod["containers"][0]["envFrom"] if "configMapRef" in one}
    named |= {one["configMap"]["name"] for one in pod["volumes"]}
    assert named == {one["metadata"]["name"] for one in found["ConfigMap"]}
