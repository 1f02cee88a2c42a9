import pytest

from benchmarks.task import Scenario, Task


def test_a_task_survives_its_way_to_the_worker() -> None:
    task = Task("a.b", {"port": 7}, Scenario(100, 10), {"window": 3, "form": "batches"}, 1.5, 9)
    assert Task.from_json(task.to_json()) == task
    assert task.number("window") == 3


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        (Scenario(100), "100 B"),
        (Scenario(1024), "1 KiB"),
        (Scenario(65_536), "64 KiB"),
        (Scenario(1024, 10_000), "1 KiB at 10,000/s"),
    ],
)
def test_names_of_scenarios(scenario: Scenario, name: str) -> None:
    assert scenario.name == name
