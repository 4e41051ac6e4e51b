"""Keeps a process for every function, as Knative does: one that dies is replaced.

    python -m tests.faults.functions PLAN

Every process is forked from this one, which has imported all functions: a death costs a hundredth of a
second, so that there can be thousands. It holds the listening sockets, where requests wait while there is no
process. PLAN is JSON: `functions` ({name: [source, target, port]}), `folder`, `seed`, `odds`.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from starlette.types import ASGIApp

from skydriver.runtime.serve import load, server_config

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.PyDLL(None)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return listener


def _serve(
    name: str, app: ASGIApp, listener: socket.socket, plan: dict[str, Any], generation: int
) -> NoReturn:
    """Be a function's process."""
    from tests.faults.dice import Dice, Tally
    from tests.faults.points import Odds, install

    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    folder = Path(plan["folder"])
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    install(
        name,
        dice=Dice(plan["seed"], f"{name}/{generation}"),
        odds=Odds(**plan["odds"]),
        tally=Tally(folder),
    )
    uvicorn.Server(server_config(app)).run(sockets=[listener])
    os._exit(0)


def main() -> None:
    """Start all, and replace the dead, until SIGTERM."""
    plan = json.loads(sys.argv[1])
    apps = {name: load(source, target) for name, (source, target, _) in plan["functions"].items()}
    listeners = {name: _listen(port) for name, (_, _, port) in plan["functions"].items()}
    running: dict[int, str] = {}
    generations = dict.fromkeys(apps, 0)

    def stop(*_: int | FrameType | None) -> None:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)

    def start(name: str) -> None:
        pid = os.fork()
        if pid == 0:
            _serve(name, apps[name], listeners[name], plan, generations[name])
        running[pid] = name
        generations[name] += 1
        # Tests that stop one from outside find it here.
        (Path(plan["folder"]) / f"{name}.pid").write_text(str(pid))

    for name in apps:
        start(name)
    while True:
        pid, _ = os.wait()
        start(running.pop(pid))


if __name__ == "__main__":
    main()
