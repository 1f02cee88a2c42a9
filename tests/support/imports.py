"""What a Python module imports, and which names of other modules it uses, read from its text."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.support.statements import inner_statements


@dataclass(frozen=True)
class Import:
    """One imported name: `from a import b` imports `a.b`; lazy means inside a function."""

    name: str
    line: int
    lazy: bool


def module_name(path: str) -> str:
    """The dotted name of `client/tapemq/...` or `broker/tapemq_broker/...`."""
    parts = PurePosixPath(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_within(name: str, package: str) -> bool:
    """Whether the dotted name is the package or something in it."""
    return name == package or name.startswith(package + ".")


def imports(path: str, tree: ast.AST) -> Iterator[Import]:
    """Every import of the module at the path, relative ones resolved."""
    package = module_name(path)
    if not path.endswith("__init__.py"):
        package = package.rpartition(".")[0]
    return _imports(tree, package, lazy=False)


def _imports(node: ast.AST, package: str, *, lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, lazy)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield Import(f"{_origin(node, package)}.{alias.name}", node.lineno, lazy)
    inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for child in inner_statements(node):
        yield from _imports(child, package, lazy=inside)


def _origin(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def uses(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names of imported things that the module uses or imports, with their lines."""
    local = dict(_bindings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Attribute):
            head, *rest = _dotted(node)
            if head in local:
                yield ".".join([local[head], *rest]), node.lineno


def _bindings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [*_dotted(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else [""]
