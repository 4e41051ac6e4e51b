"""Which function answers which request: the route table of `knative/base/routes.yaml`.

Knative routes by host only. Whatever puts all functions behind one address (the local runtime, the gateway)
matches method and path here, so that no route is listed twice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import compile_path

_PARAMETER = re.compile(r"\{\w+\}")


class Route(BaseModel):
    """One line of the table; a segment in braces stands for any one non-empty segment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str = Field(pattern=r"^/([^/{}]+|\{\w+\})?(/([^/{}]+|\{\w+\}))*$")
    service: str = Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    max_requests: int | None = Field(None, ge=1)
    page: bool = False

    def path_with(self, text: str) -> str:
        """Return the path with a text in place of each parameter."""
        return _PARAMETER.sub(text, self.path)


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


@dataclass(frozen=True, slots=True)
class _Path:
    """The routes of one path, by their methods."""

    pattern: re.Pattern[str]
    services: dict[str, str]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The table, ready to be matched."""

    routes: tuple[Route, ...]
    _paths: tuple[_Path, ...]
    """Where several match, the one that counts comes first."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a table from its YAML file.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: an entry is wrong; the error names it.
            ValueError: two entries serve the same requests.
        """
        return cls.of(_RoutesFile.model_validate(yaml.load(path.read_text(), yaml.CSafeLoader)).routes)

    @classmethod
    def of(cls, routes: list[Route]) -> Self:
        """Make a table from its entries.

        Raises:
            ValueError: two entries serve the same requests.
        """
        paths: dict[str, _Path] = {}
        for route in sorted(routes, key=_literals_first):
            path = paths.setdefault(route.path_with("{}"), _Path(compile_path(route.path)[0], {}))
            if route.method in path.services:
                raise ValueError(f"two routes for {route.method} {route.path}")
            path.services[route.method] = route.service
        return cls(tuple(routes), tuple(paths.values()))

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
        for one in self._paths:
            if one.pattern.fullmatch(path):
                service = one.services.get("GET" if method == "HEAD" else method)
                return service or MethodNotAllowed(tuple(sorted(one.services)))
        return NotFound()


def _literals_first(route: Route) -> list[bool]:
    return [segment.startswith("{") for segment in route.path.split("/")]
