"""Every skip is one that SKYDRIVER_REQUIRE can turn into a failure: it goes through `tests.components`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
FILES = [path for path in sorted(TESTS.rglob("*.py")) if path != TESTS / "components" / "__init__.py"]


def skips(path: Path) -> Iterator[str]:
    """Find what skips a test by itself; only what depends on the operating system may."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = ast.unparse(node)
            is_skip = ast.unparse(node.func) in ("pytest.skip", "pytest.importorskip", "pytest.mark.skipif")
            if is_skip and "sys.platform" not in words:
                yield f"line {node.lineno}: {words}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_missing_component_is_said_by_its_name(path: Path) -> None:
    assert list(skips(path)) == []
