"""Bars with rates on a terminal, a line a second elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:>9,.0f}/s", style="cyan")


class Bars:
    """Shows how far some counters have come, and knows when they last moved."""

    def __init__(self, totals: dict[str, int]) -> None:
        self._console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), _Rate())
        self._progress = Progress(
            *columns, console=self._console, disable=not self._console.is_terminal
        )
        self._tasks = {
            name: self._progress.add_task(name, total=total) for name, total in totals.items()
        }
        self._counts = dict.fromkeys(totals, 0)
        self._moved_at = 0.0
        self._said = dict(self._counts)
        self._said_at = 0.0

    def show(self, counts: dict[str, int], now: float) -> float:
        """Show counts by name, as of a time in seconds; for how long they have not changed."""
        if counts != self._counts or not self._moved_at:
            self._counts, self._moved_at = counts, now
        for name, task in self._tasks.items():
            self._progress.update(task, completed=counts[name])
        if self._progress.disable and now - self._said_at >= 1:
            self._say(counts, now)
        return now - self._moved_at

    def _say(self, counts: dict[str, int], now: float) -> None:
        span_s = now - self._said_at
        rates = {name: (count - self._said[name]) / span_s for name, count in counts.items()}
        parts = [f"{name} {count:,} ({rates[name]:,.0f}/s)" for name, count in counts.items()]
        print("   ".join(parts), file=sys.stderr, flush=True)
        self._said, self._said_at = counts, now

    def note(self, text: str) -> None:
        """Say something above the bars."""
        self._console.print(text, style="bold yellow")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
