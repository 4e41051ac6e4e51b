"""Codes for programs, sentences for people: no code of the library reads a sentence."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("shared/skydriver", "functions")
    for path in (ROOT / folder).rglob("*.py")
    # The stand-in is a scanner, which reads nothing of ours; Kubernetes' reasons are codes of its own.
    if not {"standin", "kube"} & set(path.parts)
)
SENTENCES = ("reason", "reasons", "cause", "stale_reason")
READING = ("startswith", "endswith", "find", "index", "partition", "rpartition", "split", "match", "search")


def _name(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return name
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return _name(inner)
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
    return None


def _has_words(node: ast.AST) -> bool:
    """Say whether this is a text of several words: a code has one."""
    return any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and " " in one.value
        for one in ast.walk(node)
    )


def _read(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find where a text called a reason or a cause is looked into."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=text, attr=method), args=arguments) if method in READING:
                if any(_name(one) in SENTENCES for one in (text, *arguments)):
                    yield node.lineno, method
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
                if _name(right) in SENTENCES or (_name(left) in SENTENCES and _has_words(right)):
                    yield node.lineno, "in"
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                if {_name(left), _name(right)} & set(SENTENCES) and (_has_words(left) or _has_words(right)):
                    yield node.lineno, "=="


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_reads_a_sentence(path: Path) -> None:
    assert list(_read(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "code",
    [
        'cluster["reason"].startswith("cannot be stopped yet:")',
        'line["cause"] == "workers not started yet"',
        'sign in line["reason"]',
        '"a word" in reason',
        're.search("a word", str(scan.get("reason") or ""))',
    ],
)
def test_what_reads_one_is_noticed(code: str) -> None:
    assert list(_read(ast.parse(code)))
