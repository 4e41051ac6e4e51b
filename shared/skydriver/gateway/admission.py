"""How many requests a service is asked at once, by the route table.

An instance that makes products takes one request at a time, and there are few: more requests than wait with
a use are refused at once, instead of waiting until they are too late.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.responses import Response

from skydriver.errors import TooMany
from skydriver.runtime.error_response import response_of_error


class Admission:
    """Counts the requests that are under way, by their service."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        """Start with none under way.

        Args:
            limits: service -> the most requests at once.
        """
        self._limits = limits
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def admitted(self, service: str) -> Iterator[Response | None]:
        """Count a request as under way while the context lasts; give the refusal of one too many."""
        limit = self._limits.get(service)
        if limit is not None and self._under_way[service] >= limit:
            said = f"{limit} requests of this kind are under way, no more are taken at once; try again"
            yield response_of_error(TooMany(said))
            return
        self._under_way[service] += 1
        try:
            yield None
        finally:
            self._under_way[service] -= 1
