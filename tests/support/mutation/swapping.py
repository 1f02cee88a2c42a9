"""Gives the functions of a loaded module other code, so that who has imported them has it, too."""

import ast
import sys
from collections.abc import Iterator
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import Any


def swap(module_name: str, tree: ast.Module) -> None:
    """Give each function of the module the code that it has in the tree."""
    module = sys.modules[module_name]
    path = str(module.__file__)
    codes = dict(_codes(compile(tree, path, "exec", dont_inherit=True), ""))
    for name, function in _functions(module):
        new = codes.get(name)
        if new is not None and new.co_freevars == function.__code__.co_freevars:
            function.__code__ = new


def _codes(code: CodeType, prefix: str) -> Iterator[tuple[str, CodeType]]:
    """The code of functions and methods by their qualified names."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and not constant.co_name.startswith("<"):
            name = f"{prefix}{constant.co_name}"
            yield name, constant
            yield from _codes(constant, f"{name}.")


def _functions(owner: ModuleType | type, prefix: str = "") -> Iterator[tuple[str, FunctionType]]:
    module_name = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    for name, value in list(vars(owner).items()):
        for function in _bare(value):
            if function.__module__ == module_name:
                yield f"{prefix}{name}", function
        if isinstance(value, type) and value.__module__ == module_name and not prefix:
            yield from _functions(value, f"{name}.")


def _bare(value: Any) -> Iterator[FunctionType]:
    """The functions behind a value of a namespace, without what was put around them."""
    if isinstance(value, property):
        found = [value.fget, value.fset]
    elif isinstance(value, cached_property):
        found = [value.func]
    elif isinstance(value, staticmethod | classmethod):
        found = [value.__func__]
    else:
        found = [getattr(value, "__wrapped__", value)]
    yield from (function for function in found if isinstance(function, FunctionType))
