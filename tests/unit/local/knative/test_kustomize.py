from typing import Any

import pytest
import yaml

from skydriver.local.errors import ManifestError
from skydriver.local.knative.kustomize import build
from tests.support.toys import KUSTOMIZATION, Toys


def find(toys: Toys, kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        resource
        for resource in build(toys.overlay).resources
        if (resource["kind"], resource["metadata"]["name"]) == (kind, name)
    )
    return found


def test_an_overlay_builds_on_its_base(toys: Toys) -> None:
    built = build(toys.overlay)
    assert sorted((r["kind"], r["metadata"]["name"]) for r in built.resources) == [
        ("Broker", "toys"),
        ("ConfigMap", "files"),
        ("ConfigMap", "settings"),
        ("PingSource", "often"),
        ("Service", "hear"),
        ("Service", "say"),
        ("SinkBinding", "binding"),
        ("Trigger", "said"),
    ]
    assert {r["metadata"]["namespace"] for r in built.resources} == {"toys"}


def test_a_config_map_is_merged_from_environment_files(toys: Toys) -> None:
    assert find(toys, "ConfigMap", "settings")["data"] == {
        "COLOUR": "blue",
        "HEARD": str(toys.root / "heard"),
        "ROUTES_FILE": "/etc/toys/routes.yaml",
        "S3_BUCKET": "toys",
        "SHAPE": "round",
    }


def test_a_config_maps_files_are_remembered(toys: Toys) -> None:
    assert build(toys.overlay).files["files"]["routes.yaml"] == toys.base / "routes.yaml"


def test_a_file_of_the_overlay_takes_the_place_of_the_bases(toys: Toys) -> None:
    (toys.overlay / "routes.yaml").write_text("routes: []")
    path = toys.overlay / "kustomization.yaml"
    generators = "- {name: files, behavior: merge, files: [routes.yaml]}"
    path.write_text(path.read_text().replace("[{name: settings", f"\n  {generators}\n  - {{name: settings"))
    path.write_text(path.read_text().replace("[more.env]}]", "[more.env]}"))
    assert build(toys.overlay).files["files"]["routes.yaml"] == toys.overlay / "routes.yaml"
    assert find(toys, "ConfigMap", "files")["data"] == {"routes.yaml": "routes: []"}


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    [
        ({"op": "replace", "path": "/spec/schedule", "value": "0 * * * *"}, ("schedule",), "0 * * * *"),
        ({"op": "add", "path": "/spec/timezone", "value": "UTC"}, ("timezone",), "UTC"),
        ({"op": "remove", "path": "/spec/schedule"}, ("schedule",), None),
        ({"op": "add", "path": "/spec/a~1b", "value": 1}, ("a/b",), 1),
    ],
)
def test_patches_change_what_they_select(
    toys: Toys, operation: dict[str, Any], path: tuple[str, ...], value: object
) -> None:
    toys.patch("PingSource", operation)
    assert find(toys, "PingSource", "often")["spec"].get(*path) == value


def test_patches_reach_into_lists(toys: Toys) -> None:
    env = "/spec/template/spec/containers/0/env"
    toys.patch(
        "Service",
        {"op": "remove", "path": f"{env}/0"},
        {"op": "add", "path": f"{env}/0", "value": "first"},
        {"op": "add", "path": f"{env}/-", "value": "last"},
        name="s.y",
    )
    service = find(toys, "Service", "say")
    first, middle, last = service["spec"]["template"]["spec"]["containers"][0]["env"]
    assert (first, middle["name"], last) == ("first", "FUNCTION_TARGET", "last")
    assert len(find(toys, "Service", "hear")["spec"]["template"]["spec"]["containers"][0]["env"]) == 2


def test_images_are_renamed_everywhere(toys: Toys) -> None:
    toys.extend("images: [{name: toys, newName: example/toys, newTag: '7'}]")
    container = find(toys, "Service", "say")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "example/toys:7"


@pytest.mark.parametrize(
    "line",
    [
        "namePrefix: x-",
        "generatorOptions: {disableNameSuffixHash: true}",
        "secretGenerator: [{name: x, literals: [a=b]}]",
        "replicas: [{name: x, count: 1}]",
    ],
)
def test_other_features_are_refused_by_name(toys: Toys, line: str) -> None:
    toys.extend(line)
    with pytest.raises(ManifestError, match=rf"{line.split(':')[0]} is not known to the local runtime"):
        build(toys.overlay)


def test_a_strategic_merge_patch_is_refused(toys: Toys) -> None:
    toys.extend(yaml.safe_dump({"patches": [{"target": {"kind": "Broker"}, "patch": "spec: {}"}]}))
    with pytest.raises(ManifestError, match="only JSON patches"):
        build(toys.overlay)


@pytest.mark.parametrize(
    ("kind", "operation", "problem"),
    [
        ("Gateway", {"op": "remove", "path": "/spec"}, "selects nothing"),
        ("Broker", {"op": "replace", "path": "/spec/nope", "value": 1}, "no place for replace /spec/nope"),
        ("Broker", {"op": "remove", "path": "/spec/no/pe"}, "no place for remove /spec/no/pe"),
        ("Broker", {"op": "move", "path": "/spec", "from": "/x"}, "only JSON patches"),
    ],
)
def test_a_patch_that_does_nothing_is_refused(toys: Toys, kind: str, operation: object, problem: str) -> None:
    toys.patch(kind, operation)
    with pytest.raises(ManifestError, match=problem):
        build(toys.overlay)


def test_a_missing_file_is_named(toys: Toys) -> None:
    (toys.base / "eventing.yaml").unlink()
    with pytest.raises(ManifestError, match=r"eventing\.yaml: No such file"):
        build(toys.overlay)


def test_merging_into_nothing_is_refused(toys: Toys) -> None:
    text = "configMapGenerator: [{name: other, behavior: merge, envs: [more.env]}]"
    (toys.overlay / "kustomization.yaml").write_text(f"{KUSTOMIZATION}resources: [../../base]\n{text}")
    with pytest.raises(ManifestError, match="cannot merge ConfigMap other"):
        build(toys.overlay)


def test_an_environment_file_has_values_only(toys: Toys) -> None:
    (toys.overlay / "more.env").write_text("FROM_MY_SHELL\n")
    with pytest.raises(ManifestError, match="'FROM_MY_SHELL' is not KEY=VALUE"):
        build(toys.overlay)


def test_a_setting_is_said_once(toys: Toys) -> None:
    (toys.overlay / "more.env").write_text("COLOUR=blue\nCOLOUR=red\n")
    with pytest.raises(ManifestError, match="COLOUR is repeated"):
        build(toys.overlay)
