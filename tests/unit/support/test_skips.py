"""Every skip is one that SKYDRIVER_REQUIRE can turn into a failure: it goes through `tests.components`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
SKIPS = {"skip", "skipif", "importorskip", "xfail"}
FILES = [path for path in sorted(TESTS.rglob("*.py")) if path != TESTS / "components" / "__init__.py"]


def skips(path: Path) -> Iterator[str]:
    """Find what skips a test by itself; only what depends on the operating system may."""
    depends_on_system: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and "sys.platform" in ast.unparse(node):
            depends_on_system.update(id(inner) for inner in ast.walk(node))
        is_skip = isinstance(node, ast.Attribute) and node.attr in SKIPS and "pytest" in ast.unparse(node)
        is_skip |= isinstance(node, ast.alias) and node.name in SKIPS
        if is_skip and id(node) not in depends_on_system:
            yield f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_missing_component_is_said_by_its_name(path: Path) -> None:
    assert list(skips(path)) == []
