"""Small wrongs put into a module, one at a time: another sign, another bound, a step left out."""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Final, NamedTuple

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_STEPS: Final = (ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete)

Change = Callable[[ast.AST], ast.AST | None]
Path = tuple[tuple[str, int | None], ...]
"""From the root of a tree to a node: fields, with an index where a field is a list."""


class Mutant(NamedTuple):
    """What is changed: where, and from what to what. Its name stays when lines move."""

    place: str
    line: int
    before: str
    after: str
    number: int
    """Counts changes with the same text in the same place."""
    is_in_body: bool
    """Whether the change is inside a function, so that nothing of it is run by an import."""

    @property
    def name(self) -> str:
        """How reasons refer to it."""
        again = f" #{self.number}" if self.number else ""
        return f"{self.place}: {self.before} -> {self.after}{again}"


class _Site(NamedTuple):
    """A node that can be changed: its path from the root, and how."""

    path: Path
    place: str
    node: ast.AST
    change: Change


def mutants(source: str) -> Iterator[tuple[Mutant, ast.Module]]:
    """Every changed version of a module."""
    tree = ast.parse(source)
    seen: dict[tuple[str, str, str], int] = {}
    for site in _sites(tree, (), ""):
        changed = site.change(deepcopy(site.node))
        before, after = _short(site.node), _short(changed) if changed else "nothing"
        key = (site.place, before, after)
        number = seen[key] = seen.get(key, -1) + 1
        line = getattr(site.node, "lineno", 0)
        mutant = Mutant(site.place, line, before, after, number, _is_in_body(tree, site.path))
        yield mutant, _with(tree, site, changed)


def _is_in_body(tree: ast.Module, path: Path) -> bool:
    node: ast.AST = tree
    for name, index in path:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body":
            return True
        node = _child(node, name, index)
    return False


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def _with(tree: ast.Module, site: _Site, changed: ast.AST | None) -> ast.Module:
    """The tree with one node replaced; by `pass` if it is to be left out."""
    copy = deepcopy(tree)
    owner: ast.AST = copy
    for name, index in site.path[:-1]:
        owner = _child(owner, name, index)
    name, index = site.path[-1]
    new = ast.copy_location(changed or ast.Pass(), site.node)
    if index is None:
        setattr(owner, name, new)
    else:
        getattr(owner, name)[index] = new
    return ast.fix_missing_locations(copy)


def _child(owner: ast.AST, name: str, index: int | None) -> ast.AST:
    child = getattr(owner, name)
    found: ast.AST = child if index is None else child[index]
    return found


def _sites(node: ast.AST, path: Path, place: str) -> Iterator[_Site]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}" if place else node.name
    for change in _changes(node):
        yield _Site(path, place or "module", node, change)
    for name, value in ast.iter_fields(node):
        if name in _skipped(node):
            continue
        if isinstance(value, ast.AST):
            yield from _sites(value, (*path, (name, None)), place)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _sites(item, (*path, (name, index)), place)


def _skipped(node: ast.AST) -> tuple[str, ...]:
    """Fields that say nothing about what is done: types, decorators, the words of errors."""
    if isinstance(node, ast.Raise):
        return ("exc", "cause")
    if isinstance(node, ast.JoinedStr):
        return ("values",)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return ("slice",) if isinstance(node.slice, ast.Tuple) else ()
    return ("annotation", "returns", "decorator_list", "bases", "type_params")


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            if type(operator) in _COMPARISONS:
                yield lambda copy, at=index: _compare(copy, at)  # type: ignore[misc]
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        yield _operate
    elif isinstance(node, ast.BoolOp):
        yield _swap_and_or
    elif isinstance(node, ast.UnaryOp):
        yield lambda copy: copy.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
        yield _other_constant
    elif isinstance(node, ast.If | ast.While | ast.IfExp) and _is_plain(node.test):
        yield _negate
    if isinstance(node, _STEPS) and not _is_of_slots(node):
        yield lambda copy: None
    elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        if not isinstance(node.value, ast.Yield | ast.YieldFrom | ast.Await):
            yield lambda copy: None
    elif isinstance(node, ast.Return) and not _is_none(node.value):
        yield _return_none


def _is_plain(test: ast.expr) -> bool:
    """Whether a condition has no operator of its own that is changed."""
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value in (None, False))


def _is_of_slots(node: ast.AST) -> bool:
    names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
    return any(name.startswith("__") for name in names)


def _compare(copy: ast.AST, at: int) -> ast.AST:
    assert isinstance(copy, ast.Compare)
    copy.ops[at] = _COMPARISONS[type(copy.ops[at])]()
    return copy


def _operate(copy: ast.AST) -> ast.AST:
    assert isinstance(copy, ast.BinOp | ast.AugAssign)
    copy.op = _OPERATORS[type(copy.op)]()
    return copy


def _swap_and_or(copy: ast.AST) -> ast.AST:
    assert isinstance(copy, ast.BoolOp)
    copy.op = ast.Or() if isinstance(copy.op, ast.And) else ast.And()
    return copy


def _other_constant(copy: ast.AST) -> ast.AST:
    assert isinstance(copy, ast.Constant)
    assert isinstance(copy.value, int)
    copy.value = not copy.value if isinstance(copy.value, bool) else copy.value + 1
    return copy


def _negate(copy: ast.AST) -> ast.AST:
    assert isinstance(copy, ast.If | ast.While | ast.IfExp)
    copy.test = ast.UnaryOp(ast.Not(), copy.test)
    return copy


def _return_none(copy: ast.AST) -> ast.AST:
    assert isinstance(copy, ast.Return)
    copy.value = ast.Constant(None)
    return copy
