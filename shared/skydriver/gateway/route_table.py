"""Which function answers which request: the route table of `knative/base/routes.yaml`.

Knative routes by host only. Whatever puts all functions behind one address (the local runtime, the gateway)
matches method and path here, so that no route is listed twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field

_PARAMETER = "{}"


class Route(BaseModel):
    """One line of the table; a segment in braces stands for any one non-empty segment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str = Field(pattern=r"^/([^/{}]+|\{\w+\})?(/([^/{}]+|\{\w+\}))*$")
    service: str = Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    max_requests: int | None = Field(None, ge=1)


class _RoutesFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    routes: list[Route]


@dataclass(frozen=True, slots=True)
class NotFound:
    """No route has this path."""


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    """The path is served, but not by this method."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    """The routes that share their first segments."""

    services: dict[str, str] = field(default_factory=dict)
    children: dict[str, "_Node"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The table, ready to be matched in one step a segment."""

    routes: tuple[Route, ...]
    _root: _Node

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a table from its YAML file.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: an entry is wrong; the error names it.
            ValueError: two entries serve the same requests.
        """
        return cls.of(_RoutesFile.model_validate(yaml.safe_load(path.read_text())).routes)

    @classmethod
    def of(cls, routes: list[Route]) -> Self:
        """Make a table from its entries.

        Raises:
            ValueError: two entries serve the same requests.
        """
        root = _Node()
        for route in routes:
            node = root
            for segment in _segments(route.path):
                key = _PARAMETER if segment.startswith("{") else segment
                node = node.children.setdefault(key, _Node())
            if route.method in node.services:
                raise ValueError(f"two routes for {route.method} {route.path}")
            node.services[route.method] = route.service
        return cls(tuple(routes), root)

    @property
    def services(self) -> frozenset[str]:
        """The names of all services that some route reaches."""
        return frozenset(route.service for route in self.routes)

    @property
    def limits(self) -> Mapping[str, int]:
        """How many requests a service may be asked at once; those without a limit are not in it."""
        return {route.service: route.max_requests for route in self.routes if route.max_requests is not None}

    def match(self, method: str, path: str) -> str | NotFound | MethodNotAllowed:
        """Find the service that answers a request; a literal segment wins over a parameter.

        Args:
            method: in capitals; a route that answers GET answers HEAD, too.
            path: decoded, without the query.
        """
        if not path.startswith("/"):
            return NotFound()
        services = _find(self._root, _segments(path))
        if services is None:
            return NotFound()
        return services.get("GET" if method == "HEAD" else method) or MethodNotAllowed(
            tuple(sorted(services))
        )


def _segments(path: str) -> tuple[str, ...]:
    return () if path == "/" else tuple(path[1:].split("/"))


def _find(node: _Node, segments: tuple[str, ...]) -> Mapping[str, str] | None:
    if not segments:
        return MappingProxyType(node.services) if node.services else None
    head, *tail = segments
    for key in (head, _PARAMETER):
        child = node.children.get(key)
        if child is not None and head and (found := _find(child, tuple(tail))) is not None:
            return found
    return None
