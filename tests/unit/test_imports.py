"""What functions may import: cold starts are paid in modules, so each kind of function has a budget of them.

Lists of modules, not times: times depend on the machine.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skydriver
from tests.support.functions import SOURCES

ROOT = Path(__file__).parents[2]

NEVER = {
    *("boto3", "botocore", "kubernetes", "keycloak", "htcondor2", "classad2", "requests", "urllib3"),
    *("opentelemetry", "skydriver.telemetry.otel"),
    *("pydantic_settings", "dotenv", "humanfriendly", "httpx", "rich", "yaml", "gunicorn"),
    *("numpy", "healpy", "healpix", "matplotlib", "pandas", "moto", "psutil", "typer"),
    *("astropy", "mocpy"),
    *("skydriver.rest.openapi.schemas", "skydriver.local", "skydriver.cli", "skydriver.standin"),
    *(
        "skydriver.scanner.kubernetes.backend",
        "skydriver.workers.kubernetes.backend",
        "skydriver.workers.htcondor.backend",
    ),
}
"""What no function needs before it is called; it is imported where it is first used."""

GATEWAY = {"httpx", "yaml"}
"""What the function that only passes calls on cannot do without."""

SUBMISSIONS = "skydriver.model.submission"
"""The models of what users ask for, large ones."""
READS = {
    *("get_root", "get_scan", "get_manifest", "get_result", "get_status", "get_logs", "get_history"),
    *("get_i3_event", "get_backlog", "get_overview", "find_scans", "get_scan_request"),
    *("get_contours", "get_gcn_notice", "get_moc", "find_skymap", "get_openapi", "get_docs"),
    *("get_skymap", "get_skymap_fits", "get_skymap_pdf", "get_skymap_png", "get_skymap_svg"),
    *("now", "scan", "find", "login", "logout", "static"),
}
PAGES = {path.stem for path in SOURCES if path.parent.name == "ui"}
FOR_PAGES = {"skydriver.ui"}
"""What only pages need; Jinja2 comes with the framework."""
STEPS = {path.stem for path in SOURCES if path.parent.name in ("steps", "cron")}

LIST = """
import importlib, os, sys
import functions_framework.aio, motor.motor_asyncio, pydantic  # of all functions; forks share them
for name in sys.argv[1:]:
    pid = os.fork()
    if pid == 0:
        importlib.import_module(name)
        print(name, *sys.modules, flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, name
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """The modules that each function's process has before its first request, by the function's name."""
    names = [".".join(source.relative_to(ROOT).with_suffix("").parts) for source in SOURCES]
    process = subprocess.run(
        [sys.executable, "-c", LIST, *names],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(skydriver.__file__).parents[1])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    lines = [line.split() for line in process.stdout.splitlines()]
    return {name.rpartition(".")[2]: set(modules) for name, *modules in lines}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_function_imports_no_more_than_its_budget(source: Path, imported: dict[str, set[str]]) -> None:
    found = imported[source.stem]
    budgeted = NEVER - (GATEWAY if source.stem == "gateway" else set())
    if source.stem not in PAGES:
        budgeted = budgeted | FOR_PAGES
    assert not found & budgeted
    if source.stem in READS:
        assert SUBMISSIONS not in found
        assert not any(name.startswith("skydriver.lifecycle") for name in found)
    if source.stem in STEPS:
        assert not any(name.startswith("skydriver.rest") for name in found)
