"""Starts and ends a node with its control plane; see `Node`."""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from skydriver.local.processes import free_port, last_words
from tests.components.kubernetes.control_plane import (
    ADMIN_TOKEN,
    GO_ENVIRONMENT,
    ControlPlane,
    make_certificates,
)
from tests.components.node.machine import CGROUPS, CONTROLLERS, NAMESPACES

ADDRESS = "10.88.255.1"
"""Of the node, in a network namespace that leads nowhere else."""
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
NAME = "node1"

_API_PORT = 6443
_API_SERVER_SERVICE = "10.96.0.1"
_HERE = Path(__file__).parent
CGROUP = "skydriver-tests"
_SHARES = 20 * 1024
"""Of processors, for all Pods: as much as 20 processes."""
_DEADLINE = 180.0
_FORWARDER = _HERE / "forward.py"


class Node:
    """A running node: containerd, the control plane, kubelet, kube-proxy and DNS, all as plain processes.

    They are in network, mount, process, host name and IPC namespaces of their own, and end, mounts included,
    when the first process of these ends, which happens with ours at the latest.

    Attributes:
        plane: its control plane, as this machine reaches it.
        folder: its files and logs.
        pid: of its first process.
    """

    def __init__(self, folder: Path, pid: int, programs: Path) -> None:
        self.folder = folder
        self.pid = pid
        self.programs = programs
        self._services: dict[str, tuple[list[str], subprocess.Popen[bytes]]] = {}
        self._forwarders: list[subprocess.Popen[bytes]] = []
        port = free_port()
        self.plane = ControlPlane(
            f"https://127.0.0.1:{port}", folder / "ca.crt", folder / "kubeconfig-outside"
        )
        self.plane.kubeconfig.write_text(self.plane.kubeconfig_of(ADMIN_TOKEN))

    # Processes in the node.

    def run(self, *command: str, content: str | None = None, timeout: float = 300.0) -> str:
        """Run a command in the node, and return what it printed.

        Raises:
            RuntimeError: it failed, with its last words.
        """
        done = subprocess.run(
            self._inside(command), input=content, capture_output=True, text=True, check=False, timeout=timeout
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a service of the node; its log is `NAME.log` in the node's folder."""
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            **GO_ENVIRONMENT,
            **(environment or {}),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self._inside(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                start_new_session=True,
            )
        self._services[name] = (list(command), process)

    def end(self, name: str) -> None:
        """Kill a service of the node."""
        process = self._services[name][1]
        for one in psutil.Process(process.pid).children():  # of nsenter
            one.kill()
        process.wait()

    def restart(self, name: str) -> None:
        """Start a service again, as it was started."""
        command, process = self._services[name]
        if process.poll() is None:
            self.end(name)
        self.start(name, *command)

    def kubectl(self, *arguments: str, content: str | None = None, timeout: float = 300.0) -> str:
        """Run kubectl as the administrator, and return what it printed.

        Raises:
            RuntimeError: it failed, with its last words.
        """
        command = [str(self.programs / "kubectl"), f"--kubeconfig={self.plane.kubeconfig}", *arguments]
        done = subprocess.run(
            command, input=content, capture_output=True, text=True, check=False, timeout=timeout
        )
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise RuntimeError(f"kubectl {' '.join(arguments[:4])}: {said[-2000:]}")
        return done.stdout

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """Ask for objects as `kubectl get` does."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]
        return items

    def until(
        self, condition: Callable[[], Any], what: str, deadline: float = _DEADLINE, *, pause: float = 0.1
    ) -> Any:
        """Wait until a condition gives something true, and return that; a service that ends is an error.

        Args:
            condition: is asked again and again.
            what: is waited for.
            deadline: seconds that it may take.
            pause: seconds between two times that it is asked.

        Raises:
            RuntimeError: a service ended, or it took too long.
        """
        end = time.monotonic() + deadline
        while not (value := condition()):
            for name, (_, process) in self._services.items():
                if process.poll() is not None:
                    words = last_words(self.folder / f"{name}.log")
                    raise RuntimeError(f"{name} ended ({process.returncode}) before {what}: {words}")
            if time.monotonic() > end:
                raise RuntimeError(f"{what}: not within {deadline:.0f} s; logs are in {self.folder}")
            time.sleep(pause)
        return value

    def wait_out(self, seconds: float) -> None:
        """Let time pass in which something is away."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)

    # Ways in and out.

    def let_in(self, *pairs: str) -> None:
        """Lead ports of this machine's loopback (`ADDRESS:PORT=ADDRESS:PORT`) into the node."""
        self._forward("/proc/self/ns/net", f"/proc/{self.pid}/ns/net", pairs)

    def let_out(self, *pairs: str) -> subprocess.Popen[bytes]:
        """Lead ports of the node to this machine's loopback, by a process that is returned."""
        return self._forward(f"/proc/{self.pid}/ns/net", "/proc/self/ns/net", pairs)

    def _forward(self, origin: str, destination: str, pairs: tuple[str, ...]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(_FORWARDER), origin, destination, *pairs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._forwarders.append(process)
        assert process.stdout is not None
        if process.stdout.readline() != b"listening\n":
            raise RuntimeError(f"nothing listens for {' '.join(pairs)}")
        return process

    def close(self) -> None:
        """End what runs outside of the node."""
        for process in self._forwarders:
            with process:  # its pipes are closed
                process.kill()
        for _, process in self._services.values():
            process.wait()

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        enter = ("nsenter", "-t", str(self.pid), "--net", "--mount", "--pid", "--uts", "--ipc")
        return [*enter, f"--wdns={self.folder}", "--", *command]


@contextmanager
def node(
    folder: Path, state: Path, *, root: Path, programs: Path, pause: str, hosts: Mapping[str, str]
) -> Iterator[Node]:
    """Run a node while the context lasts: containerd alone at first; `start_cluster` does the rest.

    Args:
        folder: an empty one, for files and logs.
        state: containerd's folder, which holds images for the next run.
        root: Debian's programs, unpacked.
        programs: those of Kubernetes.
        pause: the image that holds a Pod's namespaces.
        hosts: addresses by names that DNS knows beside the cluster's own.

    Raises:
        RuntimeError: something does not come up.
    """
    _configure(folder, state, pause=pause, hosts=hosts)
    _make_cgroups()
    with (folder / "init.log").open("wb") as log:
        first = subprocess.Popen(
            [
                # With the thread that has started it: no end of ours leaves it behind.
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", *NAMESPACES, "--fork", "--mount-proc", "--kill-child"),
                *("bash", str(_HERE / "init.sh"), str(root), ADDRESS, str(folder / "resolv.conf")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        pid = _first_process(first, folder)
        running = Node(folder, pid, programs)
        try:
            running.start("containerd", "containerd", f"--config={folder}/containerd.toml")
            socket = Path(f"/proc/{pid}/root/run/containerd/containerd.sock")
            running.until(socket.exists, "containerd listens")
            _forget_containers(running)
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
            first.wait()
            running.close()
    finally:
        first.kill()
        first.wait()
        _remove_cgroups()


def start_cluster(running: Node, *, dns: Path) -> None:
    """Start the control plane and the node's services, and wait until the node is ready.

    Raises:
        RuntimeError: something does not come up.
    """
    folder, programs, config = running.folder, running.programs, running.folder / "kubeconfig"
    as_admin = tuple(f"--{name}={config}" for name in _KUBECONFIGS)
    running.start("etcd", str(programs / "etcd"), *_etcd_arguments(folder))
    running.start("kube-apiserver", str(programs / "kube-apiserver"), *_api_server_arguments(folder))
    port = running.plane.url.rpartition(":")[2]
    running.let_in(f"127.0.0.1:{port}={ADDRESS}:{_API_PORT}")
    running.until(lambda: api_server_is_ready(running), "the API server is ready")
    running.start(
        "kube-controller-manager",
        str(programs / "kube-controller-manager"),
        *as_admin,
        f"--root-ca-file={folder}/ca.crt",
        f"--service-account-private-key-file={folder}/accounts.key",
        "--controllers=*,-nodeipam,-node-route-controller,-cloud-node-lifecycle",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/controller-manager",
    )
    running.start(
        "kube-scheduler",
        str(programs / "kube-scheduler"),
        *as_admin,
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder}/scheduler",
    )
    running.start(
        "kubelet",
        str(programs / "kubelet"),
        f"--config={folder}/kubelet.yaml",
        f"--kubeconfig={config}",
        f"--root-dir={folder}/kubelet",
        f"--cert-dir={folder}/kubelet-certificates",
        f"--hostname-override={NAME}",
        f"--node-ip={ADDRESS}",
    )
    running.start(
        "kube-proxy",
        *(str(programs / "kube-proxy"), f"--config={folder}/proxy.yaml", f"--hostname-override={NAME}"),
    )
    running.start("dns", str(dns), "-conf", f"{folder}/Corefile")
    running.until(lambda: _node_is_ready(running), "the node is ready")


_KUBECONFIGS = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")


def _etcd_arguments(folder: Path) -> tuple[str, ...]:
    clients, peers = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return (
        *(f"--data-dir={folder}/etcd", "--logger=zap", "--log-level=warn", "--unsafe-no-fsync"),
        *(f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}"),
        *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
        f"--initial-cluster=default={peers}",
    )


def _api_server_arguments(folder: Path) -> tuple[str, ...]:
    return (
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=0.0.0.0",
        f"--secure-port={_API_PORT}",
        f"--advertise-address={ADDRESS}",
        f"--service-cluster-ip-range={SERVICES}",
        # A node's name is known to no DNS here.
        "--kubelet-preferred-address-types=InternalIP",
        f"--cert-dir={folder}/api-server",
        f"--tls-cert-file={folder}/server.crt",
        f"--tls-private-key-file={folder}/server.key",
        f"--client-ca-file={folder}/ca.crt",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder}/accounts.key",
        f"--service-account-key-file={folder}/accounts.key",
    )


def api_server_is_ready(running: Node) -> bool:
    """True if the API server says so."""
    context = ssl.create_default_context(cafile=str(running.plane.ca))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with suppress(httpx.HTTPError):
        url = f"{running.plane.url}/readyz"
        answer = httpx.get(url, verify=context, headers=headers, trust_env=False, timeout=5)
        return answer.text == "ok"
    return False


def _node_is_ready(running: Node) -> bool:
    nodes = running.objects("nodes")
    conditions = [one for each in nodes for one in each["status"].get("conditions", ())]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _configure(folder: Path, state: Path, *, pause: str, hosts: Mapping[str, str]) -> None:
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    make_certificates(folder, *names, addresses=(ADDRESS, _API_SERVER_SERVICE))
    (folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
    inside = ControlPlane(f"https://{ADDRESS}:{_API_PORT}", folder / "ca.crt", folder / "kubeconfig")
    inside.kubeconfig.write_text(inside.kubeconfig_of(ADMIN_TOKEN))
    (folder / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
    (folder / "cni").mkdir()
    values = {
        "FOLDER": str(folder),
        "STATE": str(state),
        "PAUSE": pause,
        "ADDRESS": ADDRESS,
        "PODS": PODS,
        "CGROUP": CGROUP,
        "HOSTS": "\n        ".join(f"{address} {name}" for name, address in hosts.items()),
    }
    for template in (_HERE / "etc").iterdir():
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(f"%{name}%", value)
        place = folder / "cni" if template.suffix == ".conflist" else folder
        (place / template.name).write_text(text)


def _first_process(unshare: subprocess.Popen[bytes], folder: Path) -> int:
    """Wait until the node's namespaces are as they should be; the first process in them."""
    end = time.monotonic() + _DEADLINE
    while unshare.poll() is None and time.monotonic() < end:
        for child in psutil.Process(unshare.pid).children():
            if Path(f"/proc/{child.pid}/root/run/node-is-up").exists():
                return child.pid
        time.sleep(0.02)
    raise RuntimeError(f"the node does not start: {last_words(folder / 'init.log')}")


def _forget_containers(running: Node) -> None:
    """Forget the containers of a former run, whose cluster is gone; images stay."""
    ctr = ("ctr", "--namespace=k8s.io")
    if containers := running.run(*ctr, "containers", "list", "--quiet").split():
        running.run(*ctr, "containers", "delete", *containers)


def _make_cgroups() -> None:
    _remove_cgroups()
    for controller in CONTROLLERS:
        (CGROUPS / controller / CGROUP).mkdir(exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):
        content = (CGROUPS / "cpuset" / file).read_text()
        (CGROUPS / "cpuset" / CGROUP / file).write_text(content)
    # All Pods together would else count as one of the machine's processes, and starve beside other work.
    (CGROUPS / "cpu" / CGROUP / "cpu.shares").write_text(str(_SHARES))


def _remove_cgroups() -> None:
    """Remove the node's cgroups; a kernel may need a moment until the last process has left one."""
    for controller in (*CONTROLLERS, "unified"):
        for group in (CGROUP, "k8s.io"):
            folder = CGROUPS / controller / group
            end = time.monotonic() + 5.0
            while folder.exists() and time.monotonic() < end:
                for below in sorted(folder.rglob("*/"), reverse=True):
                    with suppress(OSError):
                        below.rmdir()
                with suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.05)
