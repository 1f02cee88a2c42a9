"""The statements of a parsed module, without its expressions: of those there are ten times more."""

import ast
from collections.abc import Iterator

_LISTS = ("body", "handlers", "orelse", "finalbody", "cases")


def inner_statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements right within one, and what else holds some: handlers of a `try`, cases."""
    for name in _LISTS:
        yield from getattr(node, name, ())


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All of a module, those within functions and classes too."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        left.extend(inner_statements(node))
