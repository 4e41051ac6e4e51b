"""A node of the tests: it runs Pods as processes, with the stand-in scanner in place of the real one.

It does what kubelet does as far as the API server can see: binds Pods, waits for their Secrets, runs init
containers and then containers, writes the Pods' status, and lets them go when they are deleted. Tests tell it
what is to go wrong.
"""

import asyncio
import base64
import datetime
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from skydriver.local.processes import Child, Processes, last_words, python_path
from tests.components.kubernetes.control_plane import ControlPlane

NODE = "node-of-the-tests"
_POLL = 0.1


def _program(word: str, image: str) -> str:
    """Name what stands in for a program of an image: the scanner's since v4, and before."""
    if word == "python":
        return sys.executable
    era = "v4." if re.search(r":v?[4-9]\.", image) else ""
    return re.sub(r"^skymap_scanner\.(server|client)$", rf"skydriver.standin.{era}\1", word)


_MERGE = {"Content-Type": "application/merge-patch+json"}

Object = dict[str, Any]


class Kubelet:
    """The node.

    Attributes:
        unpullable: images that cannot be pulled.
        dark: the names of Pods of which nothing is heard, though they were deleted.
        started: the names of all Pods that it has ever run a container of.
    """

    def __init__(self, client: httpx.AsyncClient, namespace: str, folder: Path) -> None:
        self.unpullable: set[str] = set()
        self.dark: set[str] = set()
        self.started: list[str] = []
        self._namespace = namespace
        self._client = client
        self._folder = folder
        self._processes = Processes(folder / "processes")
        self._pods: dict[str, _Pod] = {}
        self._calls: set[asyncio.Task[httpx.Response]] = set()

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API server; the call goes on when its caller is cancelled.

        httpcore leaves a socket open when it is cancelled in the middle of a TLS handshake.
        """
        call = asyncio.create_task(self._client.request(method, path, **options))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.shield(call)

    async def run(self) -> None:
        """Look at all Pods again and again."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        await self.call("POST", "/api/v1/nodes", json=node)
        try:
            while True:
                with suppress(httpx.HTTPError):
                    await self._look()
                await asyncio.sleep(_POLL)
        finally:
            await asyncio.gather(*(pod.forget() for pod in self._pods.values()))
            await asyncio.gather(*self._calls, return_exceptions=True)

    async def _look(self) -> None:
        listed = (await self.call("GET", f"/api/v1/namespaces/{self._namespace}/pods")).json()["items"]
        there = {pod["metadata"]["uid"]: pod for pod in listed}
        for uid in self._pods.keys() - there.keys():
            await self._pods.pop(uid).forget()
        for uid, pod in there.items():
            if uid not in self._pods:
                self._pods[uid] = _Pod(self, pod)
            elif "deletionTimestamp" in pod["metadata"] and pod["metadata"]["name"] not in self.dark:
                self._pods[uid].let_go()

    async def end(self, prefix: str, *, reason: str, code: int = 137) -> None:
        """Have the main container of a Pod (by the beginning of its name) killed for a reason."""
        await self._find(prefix).kill_main(reason, code)

    async def evict(self, prefix: str) -> None:
        """Have a Pod evicted by its node."""
        await self._find(prefix).die("Evicted", "The node was low on resource: memory.")

    async def lose(self, prefix: str) -> None:
        """Lose a Pod with all that it ran: it says no more, and the control plane removes it."""
        pod = self._find(prefix)
        await pod.forget()
        await pod.remove()

    async def go_dark(self, prefix: str) -> None:
        """Go dark with a Pod, which is then evicted: while it is `dark`, its end is not heard of."""
        pod = self._find(prefix)
        self.dark.add(pod.name)
        await pod.forget()
        await pod.remove(grace_period=1)

    def _find(self, prefix: str) -> "_Pod":
        (found,) = [pod for pod in self._pods.values() if pod.name.startswith(prefix) and not pod.is_over]
        return found


class _Pod:
    """A Pod that this node runs."""

    def __init__(self, node: Kubelet, pod: Object) -> None:
        self.name: str = pod["metadata"]["name"]
        self.is_over = False
        self._node = node
        self._call = node.call
        self._spec = pod["spec"]
        self._path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{self.name}"
        self._secrets = f"/api/v1/namespaces/{pod['metadata']['namespace']}/secrets"
        self._folder = node._folder / self.name
        self._states: dict[str, Object] = {}
        self._children: dict[str, Child] = {}
        self._said: dict[str, tuple[str, int]] = {}
        self._began = _now()
        self._life = asyncio.create_task(self._live())
        self._going: asyncio.Task[None] | None = None

    # what happens to it

    async def kill_main(self, reason: str, code: int) -> None:
        main = self._spec["containers"][0]["name"]
        self._said[main] = (reason, code)
        os.killpg(self._children[main].pid, signal.SIGKILL)

    async def die(self, reason: str, message: str) -> None:
        await self.forget()
        await self._write("Failed", reason=reason, message=message)

    def let_go(self) -> None:
        """End it, since it was deleted, and tell the API server that it has ended."""
        if self._going is None:
            self._going = asyncio.create_task(self._go())

    async def _go(self) -> None:
        await self.forget()
        await self.remove()

    async def remove(self, grace_period: int = 0) -> None:
        await self._call("DELETE", self._path, json={"gracePeriodSeconds": grace_period})

    async def forget(self) -> None:
        """End whatever it runs, and say nothing more."""
        self.is_over = True
        self._life.cancel()
        with suppress(asyncio.CancelledError):
            await self._life
        await asyncio.gather(*(child.end(2.0) for child in self._children.values()))

    # its life

    async def _live(self) -> None:
        target = {"target": {"kind": "Node", "name": NODE}, "metadata": {"name": self.name}}
        await self._call("POST", f"{self._path}/binding", json=target)
        for container in self._all():
            while container["image"] in self._node.unpullable:
                why = {"reason": "ImagePullBackOff", "message": f"no such image: {container['image']}"}
                self._states[container["name"]] = {"waiting": why}
                await self._write("Pending")
                await asyncio.sleep(_POLL)
        environments = {container["name"]: await self._environment(container) for container in self._all()}
        self._folder.mkdir()
        for volume in self._spec.get("volumes", ()):
            (self._folder / volume["name"]).mkdir()
            await self._fill(volume)
        for container in self._spec.get("initContainers", ()):
            await self._start(container, environments[container["name"]])
            if await self._wait(container):
                await self._over("Failed")
                return
        for container in self._spec["containers"]:
            await self._start(container, environments[container["name"]])
        self._node.started.append(self.name)
        await self._write("Running")
        codes = await asyncio.gather(*(self._end(container) for container in self._spec["containers"]))
        await self._over("Failed" if any(codes) else "Succeeded")

    def _all(self) -> Iterable[Object]:
        return [*self._spec.get("initContainers", ()), *self._spec["containers"]]

    async def _end(self, container: Object) -> int:
        code = await self._wait(container)
        await self._write("Running")
        return code

    async def _over(self, phase: str) -> None:
        self.is_over = True
        await self._write(phase)

    async def _environment(self, container: Object) -> dict[str, str]:
        values: dict[str, str] = {}
        for variable in container.get("env", ()):
            if "value" in variable:
                values[variable["name"]] = variable["value"].replace("$$", "$")
            elif reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                values[variable["name"]] = await self._secret(container, **reference)
        return values

    async def _fill(self, volume: Object) -> None:
        """Write the files of a volume that shows a Secret."""
        secret: Object = volume.get("secret", {})
        for item in secret.get("items", ()):
            main = self._spec["containers"][0]
            content = await self._secret(main, name=secret["secretName"], key=item["key"])
            path = self._folder / volume["name"] / item["path"]
            path.write_text(content)
            path.chmod(secret["defaultMode"])

    async def _secret(self, container: Object, *, name: str, key: str) -> str:
        while True:
            answer = await self._call("GET", f"{self._secrets}/{name}")
            if answer.is_success:
                return base64.b64decode(answer.json()["data"][key]).decode()
            why = {"reason": "CreateContainerConfigError", "message": f'secret "{name}" not found'}
            self._states[container["name"]] = {"waiting": why}
            await self._write("Pending")
            await asyncio.sleep(_POLL)

    async def _start(self, container: Object, values: dict[str, str]) -> None:
        mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", ())}

        def here(text: str) -> str:
            for path, volume in mounts.items():
                text = re.sub(rf"^{re.escape(path)}(?=/|$)", str(self._folder / volume), text)
            return text

        words = [*container.get("command", ()), *container.get("args", ())]
        command = [here(_program(word.replace("$$", "$"), container["image"])) for word in words]
        name = container["name"]
        self._children[name] = await self._node._processes.start(
            f"{self.name}.{name}",
            command,
            environment={
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "PYTHONPATH": python_path(),
                **{key: here(value) for key, value in values.items()},
            },
            folder=Path(here(container["workingDir"])) if "workingDir" in container else self._folder,
            output=self._folder / f"{name}.log",
        )
        self._states[name] = {"running": {"startedAt": _now()}}

    async def _wait(self, container: Object) -> int:
        name = container["name"]
        code = await self._children[name].wait()
        reason, code = self._said.get(
            name, ("Error" if code else "Completed", 128 - code if code < 0 else code)
        )
        message = last_words(self._folder / f"{name}.log") if code else ""
        ended = {"exitCode": code, "reason": reason, "message": message, "finishedAt": _now()}
        self._states[name] = {"terminated": ended}
        return code

    async def _write(self, phase: str, **more: str) -> None:
        def status(container: Object) -> Object:
            name = container["name"]
            return {
                "name": name,
                "image": container["image"],
                "imageID": "",
                "restartCount": 0,
                "ready": "running" in self._states.get(name, {}),
                "state": self._states.get(name, {"waiting": {"reason": "ContainerCreating"}}),
            }

        containers = [status(container) for container in self._spec["containers"]]
        ready = phase == "Running" and all(container["ready"] for container in containers)
        content: Object = {
            "phase": phase,
            "startTime": self._began,
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": str(ready)},
            ],
            # Kubelet sorts them by name.
            "containerStatuses": sorted(containers, key=lambda one: one["name"]),
            "initContainerStatuses": [status(one) for one in self._spec.get("initContainers", ())],
            **more,
        }
        answer = await self._call("PATCH", f"{self._path}/status", json={"status": content}, headers=_MERGE)
        assert answer.status_code in (200, 404), answer.text


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@asynccontextmanager
async def kubelet(plane: ControlPlane, namespace: str, folder: Path) -> AsyncIterator[Kubelet]:
    """Run a node for a namespace's Pods while the context lasts; at its end nothing that it ran is left."""
    folder.mkdir(parents=True, exist_ok=True)
    async with plane.client() as client:
        node = Kubelet(client, namespace, folder)
        loop = asyncio.create_task(node.run())
        try:
            yield node
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
