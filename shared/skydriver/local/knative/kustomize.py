"""Builds an overlay as `kustomize build` would: exactly the features that `knative/` uses, no others.

Whatever else a file asks for is refused by name, so that nothing is deployed that was silently ignored here.
The YAML is read by libyaml, since Python's own reader takes most of the time of a start.
One thing differs: generated ConfigMaps keep their plain names (the hash suffix only makes new revisions).
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skydriver.local.errors import ManifestError

Resource = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Generator(_Strict):
    name: str
    behavior: Literal["create", "merge"] = "create"
    envs: list[str] = []
    files: list[str] = []


class _Target(_Strict):
    """Selects by kind and name; a name is a regular expression that matches as a whole."""

    kind: str
    group: str | None = None
    name: str = ".*"

    def selects(self, resource: Resource) -> bool:
        group, _, _ = resource["apiVersion"].rpartition("/")
        return (
            resource["kind"] == self.kind
            and self.group in (None, group)
            and re.fullmatch(self.name, resource["metadata"]["name"]) is not None
        )


class _Operation(_Strict):
    op: Literal["add", "replace", "remove"]
    path: str = Field(pattern="^/.")
    value: Any = None


class _Patch(_Strict):
    """A list of JSON patch operations (RFC 6902), in a file or inline."""

    target: _Target
    path: str | None = None
    patch: str | None = None


class _Labels(_Strict):
    pairs: dict[str, str]


class _Image(_Strict):
    name: str
    new_name: str = Field(alias="newName")
    new_tag: str = Field(alias="newTag")


class _Kustomization(_Strict):
    api_version: Literal["kustomize.config.k8s.io/v1beta1"] = Field(alias="apiVersion")
    kind: Literal["Kustomization"]
    resources: list[str] = []
    namespace: str | None = None
    labels: list[_Labels] = []
    config_maps: list[_Generator] = Field([], alias="configMapGenerator")
    # Only says where names of generated ConfigMaps are used; they keep their names here.
    configurations: list[str] = []
    patches: list[_Patch] = []
    images: list[_Image] = []


@dataclass(frozen=True, slots=True)
class Build:
    """What an overlay amounts to.

    Attributes:
        resources: all objects, ConfigMaps included.
        files: for each ConfigMap, the file on this machine that each of its file keys was read from.
    """

    resources: tuple[Resource, ...]
    files: Mapping[str, Mapping[str, Path]]


def build(folder: Path) -> Build:
    """Build the overlay in a folder.

    Raises:
        ManifestError: a file is missing, wrong, or uses something that is not known here.
    """
    path = folder / "kustomization.yaml"
    try:
        kustomization = _Kustomization.model_validate(yaml.load(_read(path), yaml.CSafeLoader))
    except ValidationError as error:
        raise ManifestError(f"{path}: {first_problem(error)}") from None
    resources, files = _accumulate(folder, kustomization)
    for generator in kustomization.config_maps:
        _generate(folder, generator, resources, files)
    for patch in kustomization.patches:
        _apply(folder, patch, resources)
    for resource in resources:
        _transform(resource, kustomization)
    return Build(tuple(resources), files)


def _accumulate(
    folder: Path, kustomization: _Kustomization
) -> tuple[list[Resource], dict[str, dict[str, Path]]]:
    resources: list[Resource] = []
    files: dict[str, dict[str, Path]] = {}
    for name in kustomization.resources:
        path = (folder / name).resolve()
        if path.is_dir():
            below = build(path)
            resources.extend(copy.deepcopy(below.resources))
            files.update({key: dict(value) for key, value in below.files.items()})
        else:
            resources.extend(_documents(path))
    return resources, files


def _documents(path: Path) -> Iterator[Resource]:
    for document in yaml.load_all(_read(path), yaml.CSafeLoader):
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= document.keys():
            raise ManifestError(f"{path}: not a Kubernetes object")
        yield document


def _generate(
    folder: Path, generator: _Generator, resources: list[Resource], files: dict[str, dict[str, Path]]
) -> None:
    data: dict[str, str] = {}
    for name in generator.envs:
        for key, value in _environment(folder / name):
            if key in data:
                raise ManifestError(f"{folder / name}: {key} is repeated")
            data[key] = value
    sources = {Path(name).name: folder / name for name in generator.files}
    data.update({key: _read(path) for key, path in sources.items()})
    existing = [r for r in resources if r["kind"] == "ConfigMap" and r["metadata"]["name"] == generator.name]
    if bool(existing) != (generator.behavior == "merge"):
        raise ManifestError(f"{folder}: cannot {generator.behavior} ConfigMap {generator.name}")
    if existing:
        existing[0]["data"].update(data)
    else:
        metadata = {"name": generator.name}
        resources.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    files.setdefault(generator.name, {}).update(sources)


def _environment(path: Path) -> Iterator[tuple[str, str]]:
    for line in _read(path).splitlines():
        if line.strip() and not line.startswith("#"):
            key, equals, value = line.partition("=")
            if not equals:
                raise ManifestError(f"{path}: {line!r} is not KEY=VALUE")
            yield key, value


def _apply(folder: Path, patch: _Patch, resources: list[Resource]) -> None:
    if (patch.path is None) == (patch.patch is None):
        raise ManifestError(f"{folder}: a patch needs either `path` or `patch`")
    text = patch.patch if patch.path is None else _read(folder / patch.path)
    selected = [resource for resource in resources if patch.target.selects(resource)]
    if not selected:
        raise ManifestError(f"{folder}: a patch selects nothing: {patch.target!r}")
    try:
        operations = [_Operation.model_validate(item) for item in yaml.load(text or "", yaml.CSafeLoader)]
    except (ValidationError, TypeError) as error:
        raise ManifestError(f"{folder}: only JSON patches are known here: {error}") from None
    for resource in selected:
        for operation in operations:
            _operate(resource, operation)


def _operate(resource: Resource, operation: _Operation) -> None:
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in operation.path[1:].split("/"))
    try:
        place: Any = resource
        for part in parents:
            place = place[int(part) if isinstance(place, list) else part]
        key: Any = last
        if isinstance(place, list):
            key = len(place) if last == "-" else int(last)
            if operation.op == "add":
                place.insert(key, copy.deepcopy(operation.value))
                return
        if operation.op != "add" and key not in (range(len(place)) if isinstance(place, list) else place):
            raise KeyError(key)
        if operation.op == "remove":
            del place[key]
        else:
            place[key] = copy.deepcopy(operation.value)
    except (KeyError, IndexError, ValueError, TypeError):
        name = resource["metadata"]["name"]
        raise ManifestError(
            f"{resource['kind']} {name}: no place for {operation.op} {operation.path}"
        ) from None


def _transform(resource: Resource, kustomization: _Kustomization) -> None:
    metadata = resource["metadata"]
    if kustomization.namespace is not None:
        metadata["namespace"] = kustomization.namespace
    for labels in kustomization.labels:
        metadata.setdefault("labels", {}).update(labels.pairs)
    for image in kustomization.images:
        _rename(resource, image)


def _rename(part: Any, image: _Image) -> None:
    if isinstance(part, list):
        for item in part:
            _rename(item, image)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "image" and value == image.name:
                part[key] = f"{image.new_name}:{image.new_tag}"
            else:
                _rename(value, image)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from None


def first_problem(error: ValidationError) -> str:
    """Say what is wrong first, and where."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{place} is not known to the local runtime"
    return f"{place}: {problem['msg']}"
