"""A negative control: a promise broken on purpose, and the test that must notice."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import pytest

Swap = tuple[str, Callable[[Any], Any]]
"""What is replaced ("module:Class.name"), and what makes the bad one of the good one."""


class Control(NamedTuple):
    """With the swaps in place, ``test`` must fail. Without any, it is a control by itself: a test
    that fails unless the broken engine is found out."""

    promise: str
    broken: str
    test: str
    swaps: tuple[Swap, ...] = ()


def apply(control: Control, patch: pytest.MonkeyPatch) -> None:
    """Break what the control breaks, until the patch is undone."""
    for target, spoil in control.swaps:
        module_name, _, path = target.partition(":")
        owner: Any = import_module(module_name)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        # A builtin can be replaced in one module: it is no attribute of that before.
        patch.setattr(owner, name, spoil(getattr(owner, name, None)), raising=False)


def nothing(_: Any) -> Any:
    """Spoil a function so that it does nothing."""
    return lambda *_, **__: None


def always(value: Any) -> Callable[[Any], Any]:
    """Spoil a function so that it always returns the same."""
    return lambda _: lambda *_, **__: value
