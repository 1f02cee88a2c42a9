from pathlib import Path

from benchmarks.open_loop import RECORD, fill, run


def test_each_record_waits_at_least_as_long_as_its_sync(tmp_path: Path) -> None:
    waited_ns, took_ns = run(str(tmp_path / "log"), 1_000, 0.05)
    assert len(took_ns) <= len(waited_ns)
    assert len(waited_ns) >= 50
    assert min(waited_ns) >= min(took_ns) > 0
    assert (tmp_path / "log").stat().st_size == len(waited_ns) * len(RECORD)


def test_a_filled_file_keeps_its_size(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fill(str(log), (1 << 20) + 5)
    assert log.read_bytes() == bytes((1 << 20) + 5)
    waited_ns, _ = run(str(log), 1_000, 0.05)
    assert log.stat().st_size == (1 << 20) + 5 > len(waited_ns) * len(RECORD)
