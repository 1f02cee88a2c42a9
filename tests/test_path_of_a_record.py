"""The tour through the code names files and functions that are there."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.sources import ROOT

TEXT = (ROOT / "docs" / "path-of-a-record.md").read_text()
_PATH = re.compile(r"(?:client|broker|tests)/[\w./-]+|tests/\w+")
_QUOTED = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Z]\w*\.\w+")


def named() -> Iterator[tuple[str, str]]:
    """Each function in the text, with the file that was named before it."""
    path = ""
    for quoted in _QUOTED.findall(TEXT):
        if _PATH.fullmatch(quoted):
            path = quoted
        elif _NAME.fullmatch(quoted) and path:
            yield path, quoted


def defined(path: str) -> set[str]:
    """The methods of a file, as Class.method."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        f"{owner.name}.{item.name}"
        for owner in tree.body
        if isinstance(owner, ast.ClassDef)
        for item in owner.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("path", sorted(p for p in _QUOTED.findall(TEXT) if _PATH.fullmatch(p)))
def test_path_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "name"), sorted(set(named())))
def test_function_is_there(path: str, name: str) -> None:
    assert name in defined(path)


def test_the_tour_names_functions() -> None:
    assert len(set(named())) > 30
