"""What a process keeps between calls is held in two ways, which `local.knative.functions.forget` clears.

They are `functools.cache` and `PerLoop`. So services that follow one another in a process start afresh.
"""

import ast
from pathlib import Path

import pytest

from skydriver.lifecycle.sweep import make_indexes, remove_orphaned_results
from skydriver.local.knative import functions
from skydriver.scanner import image_sources

ROOT = Path(__file__).parents[2]
MODULES = sorted([*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")])


def kept_in(module: ast.Module) -> list[str]:
    """Find names of a module that functions assign to, or that are made to be filled later."""
    found = [name for node in ast.walk(module) if isinstance(node, ast.Global) for name in node.names]
    for node in module.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=value)
                | ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value)
            ):
                match value:
                    case ast.Dict(keys=[]) | ast.List(elts=[]):
                        found.append(name)
                    case ast.Call(func=ast.Name("dict" | "list" | "set" | "deque" | "defaultdict"), args=[]):
                        found.append(name)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_keeps_anything_of_its_own(path: Path) -> None:
    assert kept_in(ast.parse(path.read_text())) == []


def test_what_would_be_kept_is_found() -> None:
    code = "a = {}\nb: list[int] = []\nc = set()\nd = None\ne = {'fixed': 1}\ndef f():\n    global d\n"
    assert kept_in(ast.parse(code)) == ["d", "a", "b", "c"]


async def test_forgetting_clears_what_was_kept() -> None:
    for kept in (image_sources._answers, remove_orphaned_results._looked, make_indexes._indexed):
        kept()
        assert kept.cache_info().currsize == 1
    await functions.forget()
    for kept in (image_sources._answers, remove_orphaned_results._looked, make_indexes._indexed):
        assert kept.cache_info().currsize == 0
