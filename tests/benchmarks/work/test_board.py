"""The counters that the processes of a run share."""

from pathlib import Path

from benchmarks.work.board import Board


def test_a_run_is_done_when_all_that_was_produced_is_settled(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board")
    other = Board(tmp_path / "board")
    assert not board.is_done
    board.write(1, 3)
    other.write(2, 4)
    assert not board.is_done, "nobody has said yet how many there are"
    board.write(0, 8)
    assert (other.settled, other.is_done) == (7, False)
    other.write(2, 5)
    assert board.is_done
