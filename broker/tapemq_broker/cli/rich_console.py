"""Where tables and progress are drawn. Importing this imports rich."""

import os

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Standard output or error. With NO_COLOR set it gets no bold face either: by itself rich
    keeps that."""
    plain = bool(os.environ.get("NO_COLOR"))
    return Console(stderr=stderr, highlight=False, color_system=None if plain else "auto")
