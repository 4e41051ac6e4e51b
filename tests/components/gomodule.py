"""Builds Go programs from their modules: `go.mod` names them, `go.sum` pins all that they need."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.components.build import Unbuildable


def build_programs(
    folder: Path, *, module: Path, programs: Sequence[str], flags: str = "-s -w", options: Sequence[str] = ()
) -> None:
    """Build programs into a folder.

    Args:
        folder: where they are put.
        module: the folder with go.mod and go.sum.
        programs: the packages of their main functions.
        flags: for the linker.
        options: more of `go build`.

    Raises:
        Unbuildable: there is no (new enough) Go here, or a module cannot be had.
    """
    go = shutil.which("go")
    if go is None:
        raise Unbuildable("it needs Go")
    run(
        "nice",
        "-n",
        "10",
        go,
        "build",
        "-trimpath",
        "-ldflags",
        flags,
        "-o",
        f"{folder}/",
        *options,
        *programs,
        folder=module,
    )


def run(*command: str, folder: Path) -> str:
    """Run a command in a folder, and return what it printed.

    Raises:
        Unbuildable: it is missing, or failed; with its last words.
    """
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unbuildable(f"it needs {command[0]}") from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-10:])
        raise Unbuildable(f"`{' '.join(command[:2])}` failed: {last}")
    return done.stdout
