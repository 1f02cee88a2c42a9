"""The example of `make demo`, on rows that are made up, and its judgement on what goes wrong."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.support.sources import ROOT

EXAMPLE = ROOT / "examples" / "flights"
HEAD = "year,dep_time,dep_delay,arr_delay,carrier,flight"
CARRIERS = ("AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN")


def rows(count: int) -> list[str]:
    """Rows of a CSV: every seventh flight did not depart, every ninth has no arrival delay."""
    found = []
    for number in range(count):
        departed = "NA,NA" if number % 7 == 0 else f"{number % 2400},{number % 90 - 10}"
        arrival = "" if number % 9 == 0 else str(number % 120 - 30)
        carrier = CARRIERS[number * number % len(CARRIERS)]
        found.append(f"2013,{departed},{arrival},{carrier},{number}")
    return found


def fly(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the example."""
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nothing_is_lost_when_the_broker_is_killed_half_way(tmp_path: Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text("\n".join([HEAD, *rows(20_000)]))
    run = fly("--csv", str(file))
    assert run.returncode == 0, run.stderr + run.stdout
    assert "published 20,000 · read 20,000 · lost 0 · duplicated 0\n" in run.stdout
    assert "figures equal to those of the CSV" in run.stdout
    assert run.stderr.count("killed the broker (SIGKILL to process ") == 1
    assert "the broker is back" in run.stderr
    assert run.stderr.count("killed a worker (SIGKILL to process ") == 1
    late = [number for number in range(20_000) if number % 9 and number % 120 - 30 > 60]
    failing = sum(number % 25 == 0 for number in late)
    text = " ".join(run.stdout.split())
    assert f"late flights {len(late):,} · settled {len(late):,} · dead 0 · " in text
    said = re.search(r"failed at first and tried again (\d+) · .* tried again (\d+) ", text)
    assert said is not None, text
    assert int(said[1]) + int(said[2]) == failing


def test_limit_takes_the_first_rows(tmp_path: Path) -> None:
    file = tmp_path / "flights.csv"
    file.write_text("\n".join([HEAD, *rows(20)]))
    run = fly("--csv", str(file), "--limit", "10")
    assert run.returncode == 0, run.stderr + run.stdout
    assert "published 10 · read 10 · lost 0 · duplicated 0\n" in run.stdout


class Record(NamedTuple):
    """What a reader sees of a record."""

    partition: int
    offset: int
    text: str
    headers: dict[str, int]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the example, which is a program and no package."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    before = set(sys.modules)
    names = ("dataset", "delays", "late", "positions", "readers", "report", "workers")
    yield SimpleNamespace(**{name: import_module(name) for name in names})
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) == str(EXAMPLE / f"{name}.py"):
            del sys.modules[name]


def outcome(example: Any, records: list[Record]) -> Any:
    """What the example finds when three rows were published, and these records are read."""
    lines = rows(3)
    columns = example.dataset.Columns(HEAD)
    counting = example.readers.DelayReader(columns)
    checking = example.readers.CompletenessReader(lines)
    for record in records:
        if counting.positions.is_new(record.partition, record.offset):
            counting.table.add(columns.flight(record.text))
        if checking.positions.is_new(record.partition, record.offset):
            checking._check(record)
    expected = example.delays.DelayTable(map(columns.flight, lines))
    return example.report.Outcome(3, counting, checking, expected, example.workers.Workers(()))


def records(*places: tuple[int, int]) -> list[Record]:
    """Records with an offset and a row each, in one partition."""
    return [Record(0, offset, rows(3)[row], {"row": row}) for offset, row in places]


def test_each_row_once_and_in_order_is_good(example: Any) -> None:
    found = outcome(example, records((0, 0), (1, 1), (2, 2)))
    assert found.is_good
    assert found.completeness.lost == found.completeness.duplicated == 0


def test_a_record_that_comes_again_at_its_offset_is_not_counted_twice(example: Any) -> None:
    found = outcome(example, records((0, 0), (1, 1), (0, 0), (1, 1), (2, 2)))
    assert found.is_good
    assert found.completeness.positions.delivered_again == 2


def test_a_lost_row_is_seen(example: Any) -> None:
    found = outcome(example, records((0, 0), (1, 2)))
    assert (found.is_good, found.completeness.lost) == (False, 1)


def test_a_row_at_two_offsets_is_a_duplicate(example: Any) -> None:
    found = outcome(example, records((0, 0), (1, 1), (2, 1), (3, 2)))
    assert (found.is_good, found.completeness.duplicated) == (False, 1)


def test_an_offset_that_is_missing_is_seen(example: Any) -> None:
    found = outcome(example, records((0, 0), (1, 1), (3, 2)))
    assert (found.is_good, found.completeness.positions.gaps) == (False, 1)


def test_rows_out_of_order_are_seen(example: Any) -> None:
    found = outcome(example, records((0, 1), (1, 0), (2, 2)))
    assert (found.is_good, found.completeness.out_of_order) == (False, 1)


def test_a_changed_row_is_seen(example: Any) -> None:
    changed = [*records((0, 0), (1, 1)), Record(0, 2, rows(3)[2] + "0", {"row": 2})]
    found = outcome(example, changed)
    assert (found.is_good, found.completeness.changed) == (False, 1)


def test_figures_that_differ_are_seen(example: Any) -> None:
    good = records((0, 0), (1, 1), (2, 2))
    found = outcome(example, good)
    found.delays.table.by_carrier["B6"].arrival_delay_min += 1
    assert (found.is_good, found.tables_are_equal) == (False, False)


def workers(example: Any, **found: Any) -> Any:
    """Workers that have done everything about rows 1 and 25, but for what was found."""
    done = example.workers.Workers({1, 25})
    done.handled.update([1, 25])
    done.failed.update([25])
    done.settled = 2
    for name, value in found.items():
        setattr(done, name, value)
    return done


def test_late_flights_that_are_all_settled_are_good(example: Any) -> None:
    done = workers(example)
    assert done.is_done
    assert done.is_good
    done.handled.update([1])
    assert (done.is_good, done.again) == (True, 1)


@pytest.mark.parametrize(("said", "is_good"), [(2, True), (1, True), (0, False)])
def test_a_worker_that_is_killed_takes_no_more_first_attempts_with_it_than_it_had_at_hand(
    example: Any, said: int, is_good: bool
) -> None:
    failing = range(0, 25 * (example.late.AT_A_TIME + 1), 25)
    done = example.workers.Workers(frozenset(failing))
    done.handled.update(failing)
    done.failed.update(failing[:said])
    done.settled = len(failing)
    assert (done.cut_short, done.is_good) == (len(failing) - said, is_good)


@pytest.mark.parametrize(
    "found", [{"settled": 1}, {"dead": 1}, {"handled": {1: 1}}, {"failed": {1: 1, 25: 1}}]
)
def test_a_late_flight_that_is_not_as_it_should_be_is_seen(
    example: Any, found: dict[str, Any]
) -> None:
    assert not workers(example, **found).is_good


def test_flights_are_late_beyond_an_hour(example: Any) -> None:
    assert [example.late.is_late(delay) for delay in (None, -70, 60, 61)] == [
        False, False, False, True,
    ]  # fmt: skip
    columns = example.dataset.Columns(HEAD)
    assert example.late.late_rows(rows(100), columns) == set(range(91, 99))


def test_a_first_attempt_fails_now_and_then_and_no_second_one(example: Any) -> None:
    assert [row for row in range(60) if example.late.fails(row, 1)] == [0, 25, 50]
    assert not any(example.late.fails(row, 2) for row in range(60))


@pytest.mark.parametrize(
    ("row", "flight"),
    [
        ("2013,517,2,11,UA,1545", ("UA", True, 2, 11)),
        ("2013,517,-2.0,,UA,1545", ("UA", True, -2, None)),
        ("2013,NA,NA,NA,B6,1", ("B6", False, None, None)),
        ("2013,,,,B6,1", ("B6", False, None, None)),
    ],
)
def test_rows_are_read(example: Any, row: str, flight: tuple[Any, ...]) -> None:
    columns = example.dataset.Columns(HEAD)
    assert columns.flight(row) == flight
    assert columns.carrier(row) == flight[0]


def test_means_are_of_the_delays_that_are_known(example: Any) -> None:
    columns = example.dataset.Columns(HEAD)
    lines = ("2013,1,10,20,UA,1", "2013,1,20,,UA,2", "2013,,,,UA,3")
    delays = example.delays.DelayTable(map(columns.flight, lines)).by_carrier["UA"]
    assert (delays.flights, delays.departures) == (3, 2)
    assert (delays.mean_departure_delay_min, delays.mean_arrival_delay_min) == (15.0, 20.0)
    assert example.delays.Delays().mean_arrival_delay_min == 0
