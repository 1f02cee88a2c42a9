"""What tests of the command line share."""

from tests.support.pipe import pipe

__all__ = ["pipe"]
