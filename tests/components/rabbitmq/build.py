"""RabbitMQ and the Erlang that it runs on, unpacked from Debian's packages: nothing is installed.

The packages are those that this machine's apt knows; the build needs no root.
"""

import shutil
import tempfile
from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.gomodule import run

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
        try:
            run("apt-get", "--quiet=2", "download", *_PACKAGES, folder=Path(download))
        except Unbuildable as error:
            raise Unbuildable(f"{error} (try apt-get update)") from error
        for package in Path(download).glob("*.deb"):
            run("dpkg-deb", "--extract", str(package), str(folder), folder=folder)
    erlang = folder / _INSTALLED.removeprefix("/")
    for script in (erlang / "bin" / "erl", *erlang.glob("erts-*/bin/erl")):
        text = script.read_text()
        # The folder gets its name after the build, so the place is a variable of the start.
        script.write_text(text.replace(f"ROOTDIR={_INSTALLED}\n", 'ROOTDIR="$ERL_ROOTDIR"\n'))
    for plugin in folder.glob("usr/lib/rabbitmq/lib/*/plugins/rabbitmq_*"):
        if plugin.name.removeprefix("rabbitmq_").rpartition("-")[0] not in _KEPT:
            shutil.rmtree(plugin)
