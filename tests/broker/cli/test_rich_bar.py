import io

import pytest
from rich.console import Console

from tapemq_broker.cli.rich_bar import CountColumn, make_bar


def test_count_has_separators_and_a_unit() -> None:
    progress = make_bar("records", counted=True)
    task = progress.add_task("working", total=10_000_000, completed=1_234_567)
    assert CountColumn("records").render(progress.tasks[task]).plain == "1,234,567 records"


def test_count_has_the_rate_once_it_is_known() -> None:
    progress = make_bar("records", counted=True)
    task = progress.add_task("working", total=10)
    progress.tasks[task].finished_speed = 4321.0
    assert CountColumn("records").render(progress.tasks[task]).plain == "0 records 4,321/s"


@pytest.mark.parametrize("counted", [True, False])
def test_there_is_a_bar_only_with_a_total(counted: bool) -> None:
    progress = make_bar("records", counted)
    progress.add_task("working", total=10 if counted else None, completed=5)
    console = Console(file=io.StringIO(), width=120)
    console.print(progress.get_renderable())
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "5 records" in said
    assert ("━" in said) == counted
