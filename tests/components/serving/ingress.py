"""The smallest ingress of Knative Serving: turns its Ingress objects into files of Envoy's.

    ingress.py KUBECONFIG_JSON FOLDER

Kourier's own controller cannot be had by Go's module proxy, so this one plays it, with a real Envoy: it sends
by Host to a Service's ready endpoints (the activator's, or a revision's own), adds the headers that an
Ingress names, and sets its status once Envoy has taken the files.
"""

import asyncio
import datetime
import hashlib
import json
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

CLASS = "tests.ingress.networking.knative.dev"
PUBLIC_PORT, INTERNAL_PORT, FRONT_PORT, ADMIN_PORT = 8080, 8081, 8082, 9901
NAMESPACE = "ingress"
INTERNAL_HOST = f"gateway-internal.{NAMESPACE}.svc.cluster.local"

Object = dict[str, Any]
Key = tuple[str, str]

_INGRESSES = "/apis/networking.internal.knative.dev/v1alpha1/ingresses"
_SERVICES = "/api/v1/services"
_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
_TYPES = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPES}.extensions.filters.http.router.v3.Router"
_OPTIONS = f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"
_OPTIONS_KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def envoy_config(folder: Path, host: str) -> Object:
    """Make Envoy's own configuration.

    Args:
        folder: with the files that say the rest; Envoy reads them whenever they change.
        host: whose requests all are that come to `FRONT_PORT`, whatever host they name.
    """
    front = {
        "name": "front",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": _endpoints("front", [("127.0.0.1", PUBLIC_PORT)]),
    }
    route = {"cluster": "front", "host_rewrite_literal": host, "timeout": "0s"}
    everything = {
        "name": "front",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": route}],
    }
    listener = _listener("front", FRONT_PORT, [everything])
    del listener["@type"]
    return {
        "node": {"id": "gateway", "cluster": "gateway"},
        "admin": {"address": _socket("127.0.0.1", ADMIN_PORT)},
        "dynamic_resources": {
            "lds_config": {"path_config_source": {"path": str(folder / "lds.json")}},
            "cds_config": {"path_config_source": {"path": str(folder / "cds.json")}},
        },
        "static_resources": {"listeners": [listener], "clusters": [front]},
    }


def write(folder: Path, name: str, resources: list[Object]) -> str:
    """Write a file of Envoy's, all at once; its version."""
    text = json.dumps(resources, sort_keys=True)
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    new = folder / f"{name}.new"
    new.write_text(json.dumps({"version_info": version, "resources": resources}))
    new.rename(folder / f"{name}.json")
    return version


def resources_of(
    ingresses: list[Object], services: dict[Key, Object], slices: dict[Key, list[Object]]
) -> tuple[list[Object], list[Object]]:
    """Turn Ingress objects into Envoy's listeners and clusters.

    Args:
        ingresses: the objects.
        services: Kubernetes' Services by namespace and name.
        slices: their EndpointSlices by the same.
    """
    backends: dict[str, Object] = {}
    public: list[Object] = []
    internal: list[Object] = []
    for ingress in ingresses:
        for number, rule in enumerate(ingress["spec"].get("rules", ())):
            metadata = ingress["metadata"]
            host = {
                "name": f"{metadata['namespace']}/{metadata['name']}/{number}",
                "domains": [domain for name in rule["hosts"] for domain in (name, f"{name}:*")],
                "routes": [_route(path, backends) for path in sorted(rule["http"]["paths"], key=_precedence)],
            }
            internal.append(host)
            if rule.get("visibility") != "ClusterLocal":
                public.append(host)
    clusters = [_cluster(name, backend, services, slices) for name, backend in sorted(backends.items())]
    listeners = [_listener("public", PUBLIC_PORT, public), _listener("internal", INTERNAL_PORT, internal)]
    return listeners, clusters


def _precedence(path: Object) -> tuple[int, int]:
    return -len(path.get("headers", {})), -len(path.get("path", ""))


def _route(path: Object, backends: dict[str, Object]) -> Object:
    match: Object = {"prefix": path.get("path") or "/"}
    if "headers" in path:
        match["headers"] = [
            {"name": name, "string_match": {"exact": value["exact"]}}
            for name, value in path["headers"].items()
        ]
    weighted = []
    for split in path["splits"]:
        name = f"{split['serviceNamespace']}/{split['serviceName']}/{split['servicePort']}"
        backends[name] = split
        headers = {**path.get("appendHeaders", {}), **split.get("appendHeaders", {})}
        weighted.append(
            {
                "name": name,
                "weight": 100 if len(path["splits"]) == 1 else split.get("percent", 0),
                "request_headers_to_add": [
                    {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                    for key, value in sorted(headers.items())
                ],
            }
        )
    action: Object = {"weighted_clusters": {"clusters": weighted}, "timeout": "0s"}
    if "rewriteHost" in path:
        action["host_rewrite_literal"] = path["rewriteHost"]
    return {"match": match, "route": action}


def _cluster(
    name: str, backend: Object, services: dict[Key, Object], slices: dict[Key, list[Object]]
) -> Object:
    key = (backend["serviceNamespace"], backend["serviceName"])
    service = services.get(key, {"spec": {}})
    ports = service["spec"].get("ports", ())
    port = next((one for one in ports if backend["servicePort"] in (one["port"], one.get("name"))), None)
    if service["spec"].get("type") == "ExternalName":
        # Of one Knative Service for another (a DomainMapping): by its host, through the internal listener.
        addresses = [("127.0.0.1", INTERNAL_PORT)]
    else:
        addresses = sorted(set(_addresses(port, slices.get(key, [])))) if port else []
    cluster: Object = {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": _endpoints(name, addresses),
    }
    if port and port.get("name") in ("http2", "h2c"):
        explicit: Object = {"explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {_OPTIONS_KEY: {"@type": _OPTIONS, **explicit}}
    return cluster


def _endpoints(cluster: str, addresses: list[tuple[str, int]]) -> Object:
    endpoints = [{"endpoint": {"address": _socket(host, port)}} for host, port in addresses]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def _addresses(port: Object, slices: list[Object]) -> list[tuple[str, int]]:
    found = []
    for one in slices:
        numbers = [each["port"] for each in one.get("ports") or () if each.get("name") == port.get("name")]
        for endpoint in one.get("endpoints") or ():
            if numbers and endpoint.get("conditions", {}).get("ready", True):
                found += [(address, numbers[0]) for address in endpoint["addresses"]]
    return found


def _listener(name: str, port: int, hosts: list[Object]) -> Object:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": name,
        "use_remote_address": True,
        "stream_idle_timeout": "0s",
        # Clusters come by a file of their own, maybe a moment later.
        "route_config": {"name": name, "virtual_hosts": hosts, "validate_clusters": False},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    return {
        "@type": f"{_TYPES}.config.listener.v3.Listener",
        "name": name,
        "address": _socket("0.0.0.0", port),
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }


def _socket(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}


class _Ingress:
    def __init__(self, client: httpx.AsyncClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._is_changed = asyncio.Event()

    async def run(self) -> None:
        watches = [asyncio.create_task(self._watch(path)) for path in (_INGRESSES, _SERVICES, _SLICES)]
        while True:
            self._is_changed.clear()
            try:
                done = await self._update()
            except (httpx.HTTPError, ValueError, KeyError) as error:
                print(f"not updated: {error!r}", flush=True)
                done = False
            with suppress(TimeoutError):
                async with asyncio.timeout(None if done else 0.5):
                    await self._is_changed.wait()
            assert not any(watch.done() for watch in watches)

    async def _watch(self, path: str) -> None:
        """Notice each change of a kind of objects."""
        while True:
            try:
                parameters = {"watch": "true", "timeoutSeconds": "300"}
                async with self._client.stream("GET", path, params=parameters, timeout=None) as answer:
                    async for _ in answer.aiter_lines():
                        self._is_changed.set()
            except httpx.HTTPError:
                pass
            # What changed between two watches.
            self._is_changed.set()
            await asyncio.sleep(0.5)

    async def _update(self) -> bool:
        """Write what is now, and set the status of what is in force; True if nothing is left to be done."""
        ingresses = [one for one in await self._all(_INGRESSES) if _is_ours(one)]
        services = {_key(one["metadata"], "name"): one for one in await self._all(_SERVICES)}
        slices: dict[Key, list[Object]] = {}
        for one in await self._all(_SLICES):
            name = one["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
            slices.setdefault((one["metadata"]["namespace"], name), []).append(one)
        listeners, clusters = resources_of(ingresses, services, slices)
        versions = [write(self._folder, "cds", clusters), write(self._folder, "lds", listeners)]
        late = [one for one in ingresses if not _is_ready(one)]
        if late and not await self._is_in_force(versions):
            return False
        for one in late:
            await self._set_ready(one)
        return True

    async def _all(self, path: str) -> list[Object]:
        answer = await self._client.get(path, params={"resourceVersion": "0"})
        if answer.status_code == 404:  # before the kind is installed
            return []
        items: list[Object] = answer.raise_for_status().json()["items"]
        return items

    async def _is_in_force(self, versions: list[str]) -> bool:
        """Wait a moment until Envoy has taken both files."""
        for _ in range(100):
            with suppress(httpx.HTTPError):
                url = f"http://127.0.0.1:{ADMIN_PORT}/stats?filter=version_text"
                text = (await self._client.get(url)).text
                if all(version in text for version in versions):
                    return True
            await asyncio.sleep(0.02)
        return False

    async def _set_ready(self, ingress: Object) -> None:
        metadata = ingress["metadata"]
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        balancer = {"ingress": [{"domainInternal": INTERNAL_HOST}]}
        kinds = ("LoadBalancerReady", "NetworkConfigured", "Ready")
        status = {
            "observedGeneration": metadata["generation"],
            "publicLoadBalancer": balancer,
            "privateLoadBalancer": balancer,
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
        }
        path = _INGRESSES.replace("/ingresses", f"/namespaces/{metadata['namespace']}/ingresses")
        await self._client.patch(
            f"{path}/{metadata['name']}/status",
            headers={"Content-Type": "application/merge-patch+json"},
            json={"status": status},
        )


def _key(metadata: Object, name: str) -> Key:
    return metadata["namespace"], metadata[name]


def _is_ours(ingress: Object) -> bool:
    annotations = ingress["metadata"].get("annotations", {})
    its_class = annotations.get("networking.knative.dev/ingress.class", CLASS)
    return its_class == CLASS and "deletionTimestamp" not in ingress["metadata"]


def _is_ready(ingress: Object) -> bool:
    status = ingress.get("status", {})
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    is_current = status.get("observedGeneration") == ingress["metadata"]["generation"]
    return bool(is_current and conditions.get("Ready") == "True")


async def main() -> None:
    """Run until the node ends."""
    kubeconfig, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    async with httpx.AsyncClient(
        base_url=cluster["server"],
        verify=ssl.create_default_context(cafile=cluster["certificate-authority"]),
        headers={"Authorization": f"Bearer {user['token']}"},
        trust_env=False,
        timeout=30,
    ) as client:
        await _Ingress(client, folder).run()


if __name__ == "__main__":
    asyncio.run(main())
