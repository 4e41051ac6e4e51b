"""The Job of `knative/import/`: it runs the import of our image, with two Secrets and no rights."""

import importlib.util
from pathlib import Path

from skydriver.importing.commands import SOURCE_VARIABLE
from skydriver.local.knative import kustomize
from skydriver.settings import Settings

FOLDER = Path(__file__).parents[3] / "knative" / "import"


def test_the_job_runs_the_import_of_the_functions_image() -> None:
    found = {one["kind"]: one for one in kustomize.build(FOLDER).resources}
    functions = kustomize.build(FOLDER.parent / "overlays" / "prod").resources
    images = {
        one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in functions
        if one["metadata"]["name"] == "sweep" and one["apiVersion"].startswith("serving.knative.dev")
    }
    pod = found["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {container["image"]} == images
    python, dash_m, module = container["command"]
    assert (python, dash_m) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    assert [one["secretRef"]["name"] for one in container["envFrom"]] == [
        "skydriver-database",
        "skydriver-import",
    ]
    assert {one["name"].lower() for one in container["env"]} <= Settings.model_fields.keys()
    assert pod["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is False
    assert SOURCE_VARIABLE in (FOLDER / "job.yaml").read_text()
