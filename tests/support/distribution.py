"""How `pytest -n` deals tests out: a file at a time, longest folders first; what must stay together does."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/system/knative/",)
"""Folders whose tests share what only one worker can have."""

FIRST = (
    "tests/system/knative/",
    "tests/faults/",
    "tests/system/htcondor/",
    "tests/system/kubernetes/",
    "tests/system/",
    "tests/integration/local/",
    "tests/integration/cli/",
    "tests/integration/",
)
"""In this order, before all others: a long file that begins last keeps one worker busy, others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of slow folders first."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    ranks = (rank for rank, folder in enumerate(FIRST) if item.nodeid.startswith(folder))
    return next(ranks, len(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Deal out files, and some folders as a whole, in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
            return folder or nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return Scheduling(config, log)
