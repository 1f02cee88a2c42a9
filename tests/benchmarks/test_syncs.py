from pathlib import Path

from benchmarks.syncs import count_calls, strace

TRACE = """\
101 1700000000.100000 fsync(7) = 0
101 1700000001.000000 fdatasync(9) = 0
102 1700000001.500000 fdatasync(9 <unfinished ...>
103 1700000001.600000 syncfs(3)       = 0
102 1700000001.700000 <... fdatasync resumed>) = 0
101 1700000002.000000 fdatasync(9) = -1 EIO (Input/output error)
101 1700000002.000001 fdatasync(9) = 0
101 1700000002.100000 +++ exited with 0 +++
"""


def test_calls_between_two_times_are_counted_once() -> None:
    calls = count_calls(TRACE.splitlines(), 1700000001.0, 1700000002.0)
    assert calls == {"fdatasync": 3, "syncfs": 1}


def test_strace_follows_all_threads_and_sees_every_kind_of_sync() -> None:
    command = strace(Path("out"))
    assert "-f" in command
    assert command[-2:] == ["-o", "out"]
    traced = next(word for word in command if word.startswith("trace=")).removeprefix("trace=")
    assert {"fsync", "fdatasync", "syncfs"} <= set(traced.split(","))
