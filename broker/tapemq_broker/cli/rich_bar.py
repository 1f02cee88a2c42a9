"""The looks of a progress bar. Importing this imports rich."""

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tapemq_broker.cli.rich_console import console


class CountColumn(ProgressColumn):
    """How many are done, and how many a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The column's text."""
        speed = task.finished_speed or task.speed
        rate = f" {speed:,.0f}/s" if speed else ""
        return Text(f"{task.completed:,.0f} {self._unit}{rate}")


def make_bar(unit: str, counted: bool) -> Progress:
    """A progress display on standard error; with a bar only if the total is known."""
    title, count = TextColumn("{task.description}"), CountColumn(unit)
    target = console(stderr=True)
    if not counted:
        return Progress(title, count, TimeElapsedColumn(), console=target)
    return Progress(title, BarColumn(), count, TimeRemainingColumn(), console=target)
