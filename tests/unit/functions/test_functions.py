"""All functions alike: documented, alone in their files, told apart by their names, and quick to load."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from functions_framework.aio import create_asgi_app_from_module

import skydriver
from skydriver.gateway.route_table import RouteTable
from skydriver.model.subscriptions import NOTIFIED
from skydriver.model.transitions import Fact
from skydriver.rest.arguments import NoArguments
from tests.support.functions import SOURCES

ROOT = Path(__file__).parents[3]
ROUTES = RouteTable.load(ROOT / "knative" / "base" / "routes.yaml")

each = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def module_of(source: Path) -> Any:
    return importlib.import_module(".".join(source.relative_to(ROOT).with_suffix("").parts))


def function_of(source: Path) -> Any:
    return getattr(module_of(source), source.stem)


def path_of(route: str) -> str:
    return re.sub(r"\{\w+\}", "5d2e", route)


def test_no_two_functions_share_a_name() -> None:
    names = [source.stem for source in SOURCES]
    assert len(names) == len(set(names))
    # Their Services are named so, too, with dashes: 63 characters at most (RFC 1123).
    assert all(re.fullmatch(r"[a-z0-9](_?[a-z0-9])*", name) and len(name) <= 63 for name in names)


@each
def test_a_file_holds_one_function_of_its_own_name(source: Path) -> None:
    module = module_of(source)
    targets = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert targets == [source.stem]
    assert inspect.iscoroutinefunction(function_of(source))
    assert inspect.getdoc(function_of(source))


def test_every_line_of_the_route_table_has_its_function_and_every_route_its_line() -> None:
    served = {
        (method, function.route.path): source.stem.replace("_", "-")
        for source in SOURCES
        if hasattr(function := function_of(source), "route")
        for method in function.route.methods
    }
    assert served == {(route.method, route.path): route.service for route in ROUTES.routes}


def test_facts_and_the_steps_that_handle_them() -> None:
    heard = [
        fact for source in SOURCES if source.parent.name == "steps" for fact in function_of(source).facts
    ]
    assert sorted(heard) == sorted(
        [
            Fact.REQUESTED,
            Fact.READY,
            Fact.WORKERS_REQUESTED,
            Fact.OBSERVATION_REQUESTED,
            Fact.FINISHED,
            Fact.ABORTED,
            Fact.FAILED,
            Fact.WORKERS_UNWANTED,
            Fact.NOTIFICATION_DUE,
            # Beside the step that follows, those who have subscribed hear of it.
            *NOTIFIED,
        ]
    )


def app_of(source: Path) -> Any:
    """The application that functions-framework makes of a function."""
    module = module_of(source)
    return create_asgi_app_from_module(source.stem, module.__file__, "http", module, None)  # type: ignore[no-untyped-call]


@each
async def test_it_answers_as_a_route_or_as_a_step_under_functions_framework(
    source: Path, configure: Any
) -> None:
    function = function_of(source)
    transport = httpx.ASGITransport(app_of(source))
    async with httpx.AsyncClient(transport=transport, base_url="http://skydriver.test") as client:
        if not hasattr(function, "route"):
            nothing = await client.post("/", content=b"")
            assert (nothing.status_code, nothing.content) == (400, b"")
            return
        elsewhere = await client.get("/there/is/no/such/path")
        assert elsewhere.status_code == elsewhere.json()["code"] == 404
        path = path_of(function.route.path)
        methods = function.route.methods
        wrong = "DELETE" if "DELETE" not in methods else "GET"
        other = await client.request(wrong, path)
        assert other.status_code == other.json()["code"] == 405
        assert other.headers["allow"] == ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
        if function.route.arguments is NoArguments:
            return
        unknown = await client.request(methods[0], path, params={"no_such_argument": "1"})
        assert unknown.status_code == 400
        assert "argument no_such_argument: is an unrecognized argument" in unknown.json()["error"]


async def test_the_root_answers_an_empty_object(configure: Any) -> None:
    transport = httpx.ASGITransport(app_of(ROOT / "functions" / "api" / "get_root.py"))
    async with httpx.AsyncClient(transport=transport, base_url="http://function") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()) == (200, {})


HEAVY = ("kubernetes", "htcondor2", "classad2", "boto3", "numpy", "healpy", "matplotlib", "pandas", "moto")
LOAD_ALL = """
import sys
from functions_framework.aio import create_asgi_app
for source in sys.argv[2:]:
    target = source.rpartition("/")[2].removesuffix(".py")
    create_asgi_app(target, source, "http")
    print(target, *sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""


def test_each_loads_from_its_file_alone_and_brings_nothing_heavy() -> None:
    """As a container does: by FUNCTION_SOURCE and FUNCTION_TARGET, from the project's root, unconfigured."""
    sources = [str(source.relative_to(ROOT)) for source in SOURCES]
    process = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, ",".join(HEAVY), *sources],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(skydriver.__file__).parent.parent)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [source.stem for source in SOURCES]
