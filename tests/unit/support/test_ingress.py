"""The ingress of the tests' cluster: from Knative's objects to Envoy's."""

from typing import Any

from tests.components.serving.ingress import INTERNAL_PORT, resources_of

METADATA = {"namespace": "skydriver", "name": "get-root"}


def ingress(**rule: Any) -> dict[str, Any]:
    split = {
        "serviceNamespace": "skydriver",
        "serviceName": "get-root-00001",
        "servicePort": 80,
        "percent": 100,
    }
    path = {"splits": [{**split, "appendHeaders": {"Knative-Serving-Revision": "get-root-00001"}}]}
    rules = [{"hosts": ["get-root.skydriver"], "http": {"paths": [path]}, **rule}]
    return {"metadata": METADATA, "spec": {"rules": rules}}


def service(**spec: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {("skydriver", "get-root-00001"): {"spec": {"ports": [{"name": "http", "port": 80}], **spec}}}


def hosts(listener: dict[str, Any]) -> list[str]:
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return [name for host in manager["route_config"]["virtual_hosts"] for name in host["domains"]]


def addresses(cluster: dict[str, Any]) -> list[tuple[str, int]]:
    endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    found = [one["endpoint"]["address"]["socket_address"] for one in endpoints]
    return [(one["address"], one["port_value"]) for one in found]


def test_what_is_for_the_cluster_only_is_not_public() -> None:
    (public, internal), _ = resources_of([ingress(visibility="ClusterLocal")], {}, {})
    assert hosts(public) == []
    assert hosts(internal) == ["get-root.skydriver", "get-root.skydriver:*"]


def test_requests_go_to_ready_endpoints() -> None:
    slices = {
        ("skydriver", "get-root-00001"): [
            {
                "ports": [{"name": "http", "port": 8012}, {"name": "metrics", "port": 9090}],
                "endpoints": [
                    {"addresses": ["10.244.0.2"], "conditions": {"ready": True}},
                    {"addresses": ["10.244.0.3"], "conditions": {"ready": False}},
                ],
            }
        ]
    }
    _, (cluster,) = resources_of([ingress()], service(), slices)
    assert addresses(cluster) == [("10.244.0.2", 8012)]


def test_a_domain_mapping_goes_back_to_the_internal_listener() -> None:
    _, (cluster,) = resources_of([ingress()], service(type="ExternalName"), {})
    assert addresses(cluster) == [("127.0.0.1", INTERNAL_PORT)]
