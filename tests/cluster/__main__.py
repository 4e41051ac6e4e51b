"""`make cluster`: the whole service on a real node, for a person to look at, until Ctrl-C."""

import signal
import sys
import tempfile
import threading
from pathlib import Path

from skydriver.local.mongod import mongod
from skydriver.local.processes import Processes
from skydriver.local.s3 import s3
from tests.cluster.box import COMPONENTS, Backends, box
from tests.components.build import Unbuildable, ensure, folder_of
from tests.support.servers import in_thread


def main() -> None:
    """Build what is missing, bring all of it up, and wait for Ctrl-C."""
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    try:
        for component in COMPONENTS:
            print(f"{component}: {ensure(component)}", flush=True)
    except Unbuildable as error:
        sys.exit(f"no cluster on this machine: {error}")
    with tempfile.TemporaryDirectory(prefix="skydriver-cluster-") as name:
        _run(Path(name), is_over)


def _run(folder: Path, is_over: threading.Event) -> None:
    processes = Processes(folder / "processes")
    (folder / "mongodb").mkdir()
    (folder / "cluster").mkdir()
    database = mongod(folder / "mongodb", log=folder / "mongodb.log", processes=processes)
    bucket = s3("skydriver", log=folder / "s3.log", processes=processes)
    with in_thread(database) as mongodb_uri, in_thread(bucket) as s3_address:
        backends = Backends(mongodb_uri, s3_address, "skydriver", keycloak=None)
        with box(folder / "cluster", backends, say=lambda line: print(line, flush=True)) as running:
            print(
                f"The service answers at {running.url}, to everybody. For kubectl:\n"
                f"    export KUBECONFIG={running.node.plane.kubeconfig}"
                f" PATH={folder_of('kubernetes')}:$PATH\n"
                "Ctrl-C ends all of it.",
                flush=True,
            )
            is_over.wait()


if __name__ == "__main__":
    main()
