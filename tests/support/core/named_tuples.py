"""The named tuples that a module defines."""

from types import ModuleType


def named_tuples(module: ModuleType) -> set[type]:
    """Those of its own, not those that it imports."""
    return {
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and hasattr(item, "_fields")
        and item.__module__ == module.__name__
    }
