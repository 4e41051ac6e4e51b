"""Keycloak as its makers ship it, made ready to start: its distribution from Maven Central, built once."""

import asyncio
import shutil
import zipfile
from pathlib import Path

from tests.components.debian import need_program
from tests.components.gomodule import run
from tests.components.keycloak.process import TEMPLATE, home, script, started

KEYCLOAK = "26.4.7"
VERSION = f"{KEYCLOAK}-2"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven"}


def build(folder: Path) -> None:
    """Build into a folder: Keycloak with the options that hold for every start, and its first database.

    A first start makes all tables, which takes longer than anything else; later ones start from a copy.

    Raises:
        Unbuildable: there is no Java or Maven, and they cannot be installed; or the download fails.
    """
    for program, package in _PACKAGES.items():
        need_program(program, package)
    artifact = f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}:zip"
    maven = ("--batch-mode", "--quiet", _COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
    run("mvn", *maven, folder=folder)
    archive = folder / f"keycloak-quarkus-dist-{KEYCLOAK}.zip"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    archive.unlink()
    (folder / f"keycloak-{KEYCLOAK}").rename(home(folder))
    script(folder).chmod(0o755)
    # IceCube's Keycloak lives below /auth, too.
    options = ("--db=dev-file", "--health-enabled=false", "--http-relative-path=/auth")
    run(str(script(folder)), "build", *options, folder=folder)
    asyncio.run(_first_start(folder))


async def _first_start(folder: Path) -> None:
    data = folder / "first"
    data.mkdir()
    async with started(folder, data, bootstrap=True):
        pass
    shutil.copytree(data / "h2", folder / TEMPLATE)
    shutil.rmtree(data)
