"""The route table as Gateway API HTTPRoutes, for an ingress that can route by path.

    python -m skydriver.gateway.httproutes knative/base/routes.yaml HOST NAMESPACE

prints them. Each service's requests go to Knative's internal ingress under the service's own host name, since
Knative routes by host only. Paths with a parameter need matches of type RegularExpression, which the Gateway
API leaves to its implementations (Envoy Gateway, Istio, Contour and Cilium have them).
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from skydriver.gateway.route_table import Route, RouteTable

FALLBACK = "gateway"
"""The function that answers what no route matches."""
MAX_RULES = 16
"""Rules that one HTTPRoute may have (Gateway API v1)."""
GATEWAY = {"name": "skydriver", "namespace": "gateways"}
"""The Gateway that the routes are attached to."""
INGRESS = {"name": "kourier-internal", "namespace": "kourier-system", "port": 80}
"""Knative's ingress for calls from within the cluster."""


def http_routes(table: RouteTable, *, host: str, namespace: str) -> list[dict[str, Any]]:
    """Build the HTTPRoutes of a route table: one rule a service, and one for whatever is left.

    Args:
        table: the routes.
        host: the public one.
        namespace: of the services.
    """
    by_service: dict[str, list[Route]] = defaultdict(list)
    for route in table.routes:
        by_service[route.service].append(route)
    rules = [_rule(service, map(_match, routes), namespace) for service, routes in by_service.items()]
    # So that a wrong path or method is told in our words, not in the ingress' own.
    rules.append(_rule(FALLBACK, [{"path": {"type": "PathPrefix", "value": "/"}}], namespace))
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": f"skydriver-{number}", "namespace": namespace},
            "spec": {
                "parentRefs": [dict(GATEWAY)],
                "hostnames": [host],
                "rules": rules[start : start + MAX_RULES],
            },
        }
        for number, start in enumerate(range(0, len(rules), MAX_RULES), start=1)
    ]


def _match(route: Route) -> dict[str, Any]:
    return {"method": route.method, "path": _path(route.path)}


def _rule(service: str, matches: Iterable[dict[str, Any]], namespace: str) -> dict[str, Any]:
    own_host = f"{service}.{namespace}.svc.cluster.local"
    return {
        "matches": list(matches),
        "filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": own_host}}],
        "backendRefs": [dict(INGRESS)],
    }


def _path(path: str) -> dict[str, str]:
    if "{" not in path:
        return {"type": "Exact", "value": path}
    # re.escape would escape dashes, too, which is not wanted in RE2's plain words.
    words = [
        "[^/]+" if word.startswith("{") else re.sub(r"([.+*?()\[\]])", r"\\\1", word)
        for word in path.split("/")
    ]
    return {"type": "RegularExpression", "value": "/".join(words)}


def main() -> None:
    """Print the HTTPRoutes of a route table's file."""
    path, host, namespace = sys.argv[1:]
    routes = http_routes(RouteTable.load(Path(path)), host=host, namespace=namespace)
    sys.stdout.write(
        "# Made from knative/base/routes.yaml by skydriver.gateway.httproutes: change it there.\n"
    )
    yaml.safe_dump_all(routes, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
