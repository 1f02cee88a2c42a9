from tapemq_broker.storage.schedules.index import DueRow, Row
from tapemq_broker.storage.schedules.memory_index import within_bytes

ROWS = [DueRow(1, Row(n, n, 0, 0, b"", 0, b"", b"x" * 10)) for n in range(4)]


def test_rows_are_taken_up_to_a_size_but_at_least_one() -> None:
    assert within_bytes(ROWS, 25) == ROWS[:2]
    assert within_bytes(ROWS, 40) == ROWS
    assert within_bytes(ROWS, 5) == ROWS[:1]
    assert within_bytes([], 5) == []
