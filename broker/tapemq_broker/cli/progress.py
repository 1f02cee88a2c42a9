"""How far a command has come, on standard error, if people look at it."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def people_look() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr.isatty()


class ProgressBar:
    """A bar with a count and a rate; without a total, the count and the rate alone."""

    def __init__(self, title: str, total: int | None = None, unit: str = "records") -> None:
        self._title = title
        self._total = total
        self._unit = unit
        self._bar: tuple[Progress, TaskID] | None = None

    def advance(self, count: int) -> None:
        """So many more are done."""
        if self._bar:
            progress, task = self._bar
            progress.advance(task, count)

    def __enter__(self) -> Self:
        if people_look():
            from tapemq_broker.cli.rich_bar import make_bar

            progress = make_bar(self._unit, counted=self._total is not None)
            progress.start()
            self._bar = progress, progress.add_task(self._title, total=self._total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar[0].stop()
