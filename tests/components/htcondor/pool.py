"""A pool that runs while a context lasts: its own collector, schedd and slots, on this machine only."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pika
import psutil
import pytest

import skydriver
from skydriver.local.processes import free_port
from tests.components import missing
from tests.components.build import folder_of
from tests.components.htcondor.build import USER

DOMAIN = "pool.test"
SCHEDD = f"schedd@{DOMAIN}"
SLOTS = 24
"""Enough for the few jobs of each of the tests that run at the same time."""
LIBRARY = "/skydriver"
"""Where jobs see the project's library."""
PILOT_PYTHON = "/pilot-python"
"""What runs the pilot there: a Python with the library and the packages of a scanner's image."""
WORKER = ("/usr/bin/env", f"PYTHONPATH={LIBRARY}", "python3", "-m", "skydriver.standin.client")
"""The stand-in worker, as a job runs it."""

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
"""Nothing of ours: the bindings set variables of HTCondor's own in whatever process imports them."""
_START = Path(__file__).with_name("start.sh")
_SUBMIT = Path(__file__).with_name("submit.py")
_CONFIG = """
COLLECTOR_HOST = 127.0.0.1:{port}
SCHEDD_NAME = {schedd}
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
NO_DNS = True
DEFAULT_DOMAIN_NAME = {domain}
UID_DOMAIN = {domain}
FILESYSTEM_DOMAIN = {domain}
TRUST_DOMAIN = {domain}
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
# Else it changes the machine's own kernel settings.
ENABLE_KERNEL_TUNING = False
MOUNT_UNDER_SCRATCH =
# Each job asks each plugin what it can do; those of Box, Google Drive and OneDrive are Python programs.
FILETRANSFER_PLUGINS = $(LIBEXEC)/curl_plugin
# It takes no more than that many of the small processes that jobs are here, whatever they ask for.
NUM_CPUS = {slots}
MEMORY = {memory}
DISCARD_SESSION_KEYRING_ON_STARTUP = False
RUNBENCHMARKS = 0
# Its log says what it was asked.
SCHEDD_DEBUG = D_COMMAND
# Seconds: there are no thousands of machines to wait for here.
NEGOTIATOR_INTERVAL = 1
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 1
SCHEDD_MIN_INTERVAL = 1
UPDATE_INTERVAL = 2
STARTER_INITIAL_UPDATE_INTERVAL = 1
STARTER_UPDATE_INTERVAL = 2
SHADOW_QUEUE_UPDATE_INTERVAL = 2
PERIODIC_EXPR_INTERVAL = 2
MASTER_BACKOFF_CONSTANT = 1
"""


@dataclass(frozen=True)
class Pool:
    """A running pool.

    Attributes:
        folder: of its own; `log/` has the daemons' logs.
        collector: the collector's address, `HOST:PORT`.
        schedd: the schedd's name.
        user: who may submit; all jobs that are listed or removed are theirs.
        token: of that user.
    """

    folder: Path
    collector: str
    schedd: str
    user: str
    token: str = field(repr=False)
    _inside: "_Inside" = field(repr=False)

    @property
    def location(self) -> dict[str, str]:
        """Where it is, as a known cluster says it."""
        return {"collector": self.collector, "schedd": self.schedd}

    def as_user(self, user: str) -> "Pool":
        """Return the same pool as another user sees it, who is made for that."""
        self.run("useradd", "--create-home", user)
        return replace(self, user=user, token=_token(self._inside, user))

    def run(self, *command: str) -> str:
        """Run a command within the pool, as root, and return its output."""
        return self._inside.run(*command)

    def jobs(self, constraint: str = "true") -> list[dict[str, Any]]:
        """List the user's jobs in the queue, without those that are removed and run nowhere."""
        there = f'Owner == "{self.user}" && ({constraint}) && (JobStatus != 3 || RemoteHost isnt undefined)'
        text = self.run("condor_q", "-allusers", "-json", "-constraint", there)
        jobs: list[dict[str, Any]] = json.loads(text or "[]")
        return jobs

    def submit(self, *clusters: tuple[dict[str, str], int], spool: bool = False) -> list[int]:
        """Submit clusters (a description, and how many jobs), as another user with our token would.

        With `spool` the submissions are left half done, as by a client that died.
        """
        task = {**self.location, "clusters": clusters, "spool": spool}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "tokens").mkdir(mode=0o700)
            (Path(folder) / "tokens" / "token").touch(mode=0o600)
            (Path(folder) / "tokens" / "token").write_text(self.token)
            config = Path(folder) / "config"
            config.write_text(
                f"COLLECTOR_HOST = {self.collector}\nSEC_TOKEN_DIRECTORY = {folder}/tokens\n"
                "SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS\n"
            )
            done = subprocess.run(
                [sys.executable, _SUBMIT],
                input=json.dumps(task),
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
                env={"CONDOR_CONFIG": str(config)},
            )
        assert done.returncode == 0, done.stderr
        numbers: list[int] = json.loads(done.stdout)
        return numbers

    def clear(self) -> None:
        """Remove all jobs of the user's, and wait until none runs."""
        self._inside.run("condor_rm", self.user, check=False)  # it fails where there is none
        _wait(lambda: not self.jobs(), what="all jobs are gone")

    def heard(self, command: str) -> int:
        """Count how often the schedd was asked something by anybody, like `QUERY_JOB_ADS`."""
        return (self.folder / "log" / "SchedLog").read_text().count(f"({command})")

    def stop_schedd(self) -> None:
        """Stop the schedd with its shadows; the jobs' processes end, the queue stays on disk."""
        self.run("condor_off", "-fast", "-daemon", "schedd")
        _wait(lambda: not self._schedds(), what="the schedd has ended")

    def start_schedd(self) -> None:
        """Start the schedd again, and wait until it can be found."""
        self.run("condor_on", "-daemon", "schedd")
        _wait(lambda: bool(self._schedds()) and self._answers(), what="the schedd has started")

    @contextmanager
    def frozen_schedd(self) -> Iterator[None]:
        """Let the schedd accept connections and never answer, while the context lasts."""
        (process,) = self._schedds()
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def _schedds(self) -> list[psutil.Process]:
        schedds = []
        for process in self._inside.first().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                if process.name() == "condor_schedd":
                    schedds.append(process)
        return schedds

    def _answers(self) -> bool:
        return "Total for all users" in self._inside.run("condor_q", "-allusers", check=False)


@dataclass(frozen=True)
class _Inside:
    """A pool's namespaces and its root."""

    unshare: int
    root: Path

    def first(self) -> psutil.Process:
        """The first process in there, with which all others end."""
        [process] = psutil.Process(self.unshare).children()
        return process

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in there, and return its output."""
        enter = ["nsenter", "--target", str(self.first().pid), "--mount", "--pid", "chroot", str(self.root)]
        done = subprocess.run(
            [*enter, *command], capture_output=True, text=True, check=False, env=_ENVIRONMENT
        )
        if check and done.returncode != 0:
            pytest.fail(f"{command[0]} failed in the pool: {done.stderr}")
        return done.stdout


@contextmanager
def running_pool(folder: Path, more_config: str = "") -> Iterator[Pool]:
    """Run a pool while the context lasts, on a machine that `check_built` finds good for it.

    Args:
        folder: of its own.
        more_config: lines that win over those of the tests' pools.
    """
    port = free_port()
    for part in ("root", "log"):
        (folder / part).mkdir(parents=True)
    (folder / "config").write_text(
        _CONFIG.format(port=port, schedd=SCHEDD, domain=DOMAIN, slots=SLOTS, memory=SLOTS * 10_000)
        + more_config
    )
    library, packages = Path(skydriver.__file__).parents[1], Path(pika.__file__).parents[1]
    with (folder / "start.log").open("w") as log:
        process = subprocess.Popen(
            [
                # With us dies unshare, with it the first process of its namespace, and so all the others.
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
                *("sh", str(_START), str(folder_of("htcondor")), str(folder), str(library)),
                *(sys.base_prefix, str(packages)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_ENVIRONMENT,
        )
    try:
        yield _ready(process, folder, port)
    finally:
        process.kill()
        process.wait()


def _ready(process: subprocess.Popen[bytes], folder: Path, port: int) -> Pool:
    inside = _Inside(process.pid, folder / "root")

    def slots() -> bool:
        if process.poll() is not None:
            pytest.fail(f"the pool did not start: {(folder / 'start.log').read_text()}")
        if not psutil.Process(process.pid).children():
            return False
        found = inside.run("condor_status", "-any", "-af", "MyType", check=False).split()
        return "Machine" in found and "Scheduler" in found

    _wait(slots, what="the pool is ready")
    return Pool(folder, f"127.0.0.1:{port}", SCHEDD, USER, _token(inside, USER), inside)


def _token(inside: _Inside, user: str) -> str:
    return inside.run("condor_token_create", "-identity", f"{user}@{DOMAIN}").strip()


def check_built() -> None:
    """Skip the test (or fail it, where a pool is required) unless this machine can run one."""
    if os.geteuid() != 0:
        missing("htcondor", "only root can run its daemons and jobs under their own users")
    if not folder_of("htcondor").is_dir():
        missing("htcondor", "it was not built: make components")


def _wait(condition: object, *, what: str, deadline: float = 60.0) -> None:
    assert callable(condition)
    limit = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > limit:
            pytest.fail(f"not after {deadline:g} s: {what}")
        time.sleep(0.05)
