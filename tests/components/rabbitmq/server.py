"""A RabbitMQ of the tests' own, with the management plugin: on 127.0.0.1 alone, beside any other.

Two brokers never meet: each has its node name, its ports, its cookie and its own Erlang port mapper.
"""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from skydriver.local.processes import free_port, last_words
from tests.components import missing
from tests.components.build import folder_of

USER = "skydriver"
PASSWORD = "secretOfATest"  # letters and digits: mqclient decodes no percent signs in an address
START_DEADLINE = 120.0
"""Seconds that a start may take. It needs 6 s of a processor."""
STOP_DEADLINE = 60.0
"""Seconds that a broker has to end in order."""

_CONFIG = """
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
log.console = true
log.console.level = warning
log.file = false
# Else the smallest free disk of a test machine blocks all publishers.
disk_free_limit.absolute = 1MB
"""


class RabbitMQ:
    """A broker that can be stopped and started again: its port, queues and messages stay.

    Attributes:
        port: of AMQP.
        management_url: of the management API, without a slash at its end.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare a broker in an empty folder; `start` runs it."""
        self.port = free_port()
        self.management_url = f"http://127.0.0.1:{(management := free_port())}"
        self._folder = folder
        self._log = folder / "rabbitmq.log"
        self._broker: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._root = folder_of("rabbitmq")
        self._erlang = self._root / "usr" / "lib" / "erlang"
        self._environment = self._environment_of(f"test-{uuid.uuid4().hex[:12]}@localhost")
        config = _CONFIG.format(amqp=self.port, management=management, user=USER, password=PASSWORD)
        (folder / "rabbitmq.conf").write_text(config)
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")

    def __getstate__(self) -> dict[str, Any]:
        """Tell another process where the broker is; only the one that started it can stop it."""
        return {**self.__dict__, "_broker": None, "_mapper": None}

    def start(self) -> None:
        """Run the broker, and return when it answers."""
        (mapper,) = self._erlang.glob("erts-*/bin/epmd")
        address = ("-address", "127.0.0.1", "-port", self._environment["ERL_EPMD_PORT"])
        # The broker would start one by itself, and leave it behind.
        self._mapper = self._run(str(mapper), *address)
        (program,) = self._root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
        self._broker = self._run(str(program))
        deadline = time.monotonic() + START_DEADLINE
        with self.api() as api:
            while not self._answers(api):
                if self._broker.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"RabbitMQ does not start: {last_words(self._log)}")
                time.sleep(0.25)

    def stop(self) -> None:
        """End the broker in order, and return when it is gone.

        A broker that is killed forgets the quorum queues of its last half second.
        """
        if self._broker is not None:
            self._broker.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._broker.wait(STOP_DEADLINE)
        self.kill()

    def kill(self) -> None:
        """Kill the broker, and return when it is gone."""
        for process in (self._broker, self._mapper):
            if process is not None:
                process.kill()
                process.wait()
        self._broker = self._mapper = None

    def api(self) -> httpx.Client:
        """Make a client of the management API, as an administrator."""
        return httpx.Client(
            base_url=f"{self.management_url}/api", auth=(USER, PASSWORD), trust_env=False, timeout=60.0
        )

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """Make a fresh virtual host, and remove it afterwards with all that is in it."""
        name = f"test{uuid.uuid4().hex[:12]}"
        with self.api() as api:
            api.put(f"/vhosts/{name}").raise_for_status()
            rights = {"configure": ".*", "write": ".*", "read": ".*"}
            api.put(f"/permissions/{name}/{USER}", json=rights).raise_for_status()
            yield name
            api.delete(f"/vhosts/{name}").raise_for_status()

    def address(self, vhost: str) -> str:
        """Write the address of a virtual host as mqclient takes it, without the password."""
        return f"{USER}@127.0.0.1:{self.port}/{vhost}"

    def _environment_of(self, node: str) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": f"{self._erlang}/bin:{os.environ['PATH']}",
            "HOME": str(folder),  # of the cookie
            "LANG": "C.UTF-8",
            "detached": "true",  # no shell stays between us and it
            "ERL_ROOTDIR": str(self._erlang),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_NODENAME": node,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
        }

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with self._log.open("a") as log:
            return subprocess.Popen(
                # With us it dies, however we die.
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self, api: httpx.Client) -> bool:
        try:
            checks = (f"port-listener/{self.port}", "virtual-hosts")
            return all(api.get(f"/health/checks/{check}").is_success for check in checks)
        except httpx.TransportError:
            return False


def check_built() -> None:
    """Skip the test (or fail it, where RabbitMQ is required) if it was not built."""
    if not folder_of("rabbitmq").is_dir():
        missing("rabbitmq", "it was not built: make components")


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Run a broker while the context lasts; it must be built (`check_built`)."""
    broker = RabbitMQ(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
