"""Tracebacks without the worker's own lines, which say nothing to the author of a handler."""

import os
from types import TracebackType
from typing import Final

_OWN: Final = os.path.dirname(__file__)
_BETWEEN: Final = (os.path.join("concurrent", "futures"), "importlib")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def own_part(error: BaseException) -> ExcInfo:
    """The error with its traceback from the first line on that is the application's."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    return type(error), error, frames


def _is_ours(frames: TracebackType) -> bool:
    file = frames.tb_frame.f_code.co_filename
    return os.path.dirname(file) == _OWN or any(part in file for part in _BETWEEN)
