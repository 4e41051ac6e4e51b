"""RabbitMQ and the Erlang that it runs on, unpacked from Debian's packages: nothing is installed.

The packages are those that this machine's apt knows; the build needs no root.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.components.build import Unbuildable

VERSION = "debian-2"

# What `rabbitmq-server` depends on and a Debian without Erlang lacks.
_ERLANG = (
    *("base", "asn1", "crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools", "public-key"),
    *("runtime-tools", "ssl", "syntax-tools", "tools", "xmerl"),
)
_PACKAGES = ("rabbitmq-server", *(f"erlang-{name}" for name in _ERLANG))
_KEPT = ("prelaunch", "management", "management_agent", "web_dispatch")
"""The plugins that a test broker needs. Each further one costs a start time, whether it is enabled or not."""
_INSTALLED = "/usr/lib/erlang"
"""Where Debian's Erlang expects itself."""


def build(folder: Path) -> None:
    """Unpack the packages into a folder.

    Raises:
        Unbuildable: this machine cannot; with the reason.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Unbuildable(f"there is no {program} here")
    with tempfile.TemporaryDirectory() as download:
        _run("apt-get", "--quiet=2", "download", *_PACKAGES, folder=Path(download))
        for package in Path(download).glob("*.deb"):
            _run("dpkg-deb", "--extract", str(package), str(folder))
    erlang = folder / _INSTALLED.removeprefix("/")
    for script in (erlang / "bin" / "erl", *erlang.glob("erts-*/bin/erl")):
        text = script.read_text()
        # The folder gets its name after the build, so the place is a variable of the start.
        script.write_text(text.replace(f"ROOTDIR={_INSTALLED}\n", 'ROOTDIR="$ERL_ROOTDIR"\n'))
    for plugin in folder.glob("usr/lib/rabbitmq/lib/*/plugins/rabbitmq_*"):
        if plugin.name.removeprefix("rabbitmq_").rpartition("-")[0] not in _KEPT:
            shutil.rmtree(plugin)


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise Unbuildable(f"{command[0]} failed (try apt-get update): {last}")
