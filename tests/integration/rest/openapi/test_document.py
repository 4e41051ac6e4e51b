"""The interface's document: nothing is missing in it, and what it says is so."""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from skydriver.model.manifest import CLUSTER_FIELDS, FIELDS
from skydriver.rest.openapi.schemas import Cluster, Manifest
from tests.conftest import ROOT
from tests.integration.rest.api import Api, scan_arguments
from tests.integration.rest.realm import realm

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "200"))
"""Examples of an operation that takes a body; others have a twentieth of it an argument."""
PAGES = {path.stem.replace("_", "-") for path in (ROOT / "functions" / "ui").glob("[!_]*.py")}
EXCLUDED = ",".join(
    [
        "positive_data_acceptance",  # some rules no schema can say, such as which clusters are known
        "missing_required_header",  # wants a 401 for a missing token; v1 answered 403, and so do we
    ]
)


async def test_routes_functions_manifests_and_document_are_one(api: Api) -> None:
    document = await api.call("GET", "/openapi.json")
    table = yaml.safe_load((ROOT / "knative" / "base" / "routes.yaml").read_text())["routes"]
    assert {route["service"] for route in table if route.get("page")} == PAGES
    listed = {(route["method"], route["path"]): route["service"] for route in table if not route.get("page")}
    documented = {
        (method.upper(), path): operation["operationId"].replace("_", "-")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert documented == listed
    for (method, path), service in listed.items():
        name = service.replace("-", "_")
        route = getattr(importlib.import_module(f"functions.api.{name}"), name).route
        assert (route.method, route.path, route.name) == (method, path, name)
        manifest = next(yaml.safe_load_all((ROOT / f"knative/base/functions/{service}.yaml").read_text()))
        container = manifest["spec"]["template"]["spec"]["containers"][0]
        environment = {variable["name"]: variable["value"] for variable in container["env"]}
        assert environment["FUNCTION_SOURCE"] == f"functions/api/{name}.py"
        assert environment["FUNCTION_TARGET"] == name
    files = {path.stem for path in (ROOT / "functions" / "api").glob("*.py")} - {"__init__"}
    assert files == {service.replace("-", "_") for service in listed.values()}


async def test_every_operation_says_who_may_and_what_can_go_wrong(api: Api) -> None:
    document = await api.call("GET", "/openapi.json")
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert "For " in operation["description"]
            assert {"400", "503"} <= set(operation["responses"])
            assert ("403" in operation["responses"]) == bool(operation["security"])
            assert ("404" in operation["responses"]) == ("{" in path or path == "/skymaps")
    for response in document["components"]["responses"].values():
        assert response["content"]["application/json"]["example"]["error"]


async def test_every_operation_has_a_tag_a_summary_and_examples_that_hold(api: Api) -> None:
    document = await api.call("GET", "/openapi.json")
    tags = {tag["name"] for tag in document["tags"]}
    summaries = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            assert set(operation["tags"]) <= tags
            summaries.add(operation["summary"])
            bodies = [operation.get("requestBody", {}), operation["responses"].get("200", {})]
            for body in bodies:
                for kind, content in body.get("content", {}).items():
                    if "json" in kind and content:
                        schema = {**content["schema"], "components": document["components"]}
                        jsonschema.Draft202012Validator(schema).validate(content["example"])
    assert len(summaries) == sum(map(len, document["paths"].values()))


async def test_the_answers_models_have_the_fields_that_are_answered() -> None:
    assert set(Manifest.model_fields) == set(FIELDS)
    assert set(Cluster.model_fields) == set(CLUSTER_FIELDS)


async def test_a_manifest_is_as_documented(api: Api) -> None:
    document = await api.call("GET", "/openapi.json")
    manifest = await api.submit(manifest_projection="*")
    schema = {"$ref": "#/components/schemas/Manifest", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(manifest)


async def test_the_page_is_whole_and_asks_no_other_host(api: Api) -> None:
    page = await api.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype", "")
    for name, kind in (
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("page.js", "text/javascript"),
    ):
        assert f"docs?file={name}" in page.text
        file = await api.http.get("/docs", params={"file": name})
        assert file.status_code == 200
        assert file.headers["content-type"].startswith(kind)
    assert "argument file" in await api.refusal("GET", "/docs?file=../settings.py")


def _examples(operation: dict[str, Any]) -> int:
    """Say how many examples an operation is worth: a few words of a query are tried sooner than a body.

    What each argument may hold is tried beside, in schemathesis' phase `coverage`.
    """
    if "requestBody" in operation:
        return EXAMPLES
    return max(1, EXAMPLES // 20 * len(operation.get("parameters", ())))


def _configuration(document: dict[str, Any]) -> str:
    """Write schemathesis' configuration: how many examples each operation gets."""
    operations = [one for path in document["paths"].values() for one in path.values()]
    return "\n".join(
        f"[[operations]]\n"
        f"include-operation-id = {json.dumps(one['operationId'])}\n"
        f"generation.max-examples = {_examples(one)}\n"
        for one in operations
    )


async def test_schemathesis_finds_nothing(api: Api, configure: Callable[..., None], tmp_path: Path) -> None:
    """Every check but EXCLUDED, with a user's token."""
    async with realm() as issuer:
        configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=issuer.url)
        token = issuer.token(groups=["/institutions/IceCube"], skydriver_role="system")
        headers = {"Authorization": f"Bearer {token}"}
        made = await api.answer("POST", "/scan", scan_arguments(), headers)
        assert made.status_code == 200, made.text
        (tmp_path / "schemathesis.toml").write_text(_configuration(await api.call("GET", "/openapi.json")))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.http.base_url}/openapi.json"),
            *("--checks", "all", "--exclude-checks", EXCLUDED),
            *("--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--warnings", "off"),
            *("--generation-deterministic", "--no-shrink", "--no-color"),
            *("--request-timeout", "30", "--header", f"Authorization: Bearer {token}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        output, _ = await process.communicate()
    (tmp_path / "schemathesis.log").write_bytes(output)
    assert process.returncode == 0, output.decode()[-8000:]
