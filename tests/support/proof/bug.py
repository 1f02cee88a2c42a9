"""A bug that was found, and what shows it again."""

from typing import NamedTuple


class Bug(NamedTuple):
    """``recipe`` is a test that fails where the bug is."""

    what: str
    found_by: str
    recipe: str
