"""The latency of a broker that costs nothing: `python -m benchmarks.open_loop [directory]`.

Records of 1 KiB are due on a schedule; those that are due are appended together, then synced, then
the next ones. Their latency counts from when they were due, so it holds the time that a record
waits for the sync before its own: what no broker that syncs before it answers can be below. The
figures are in docs/adr/0002-group-commit.md. With `--filled` the file has its size before, and only
its bytes change, so that no sync has to wait for the journal of the file system.
"""

import argparse
import os
from tempfile import TemporaryDirectory
from time import monotonic_ns

from benchmarks.pacer import NANOSECONDS, open_timer, read_ticks
from benchmarks.percentiles import latencies_ns, quantiles_ms

RECORD = bytes(1024)
_PIECE_BYTES = 1 << 20


def fill(path: str, size_bytes: int) -> None:
    """Make a file of zeros, on disk."""
    with open(path, "wb") as file:
        for start in range(0, size_bytes, _PIECE_BYTES):
            file.write(bytes(min(_PIECE_BYTES, size_bytes - start)))
        file.flush()
        os.fsync(file.fileno())


def run(path: str, rate_per_s: int, seconds: float) -> tuple[list[int], list[int]]:
    """How long each record waited until it was on disk, and how long each append with its sync
    took; nanoseconds. Written from the file's beginning, if it exists."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    start_ns = monotonic_ns() + NANOSECONDS // 10
    timer = open_timer(start_ns, NANOSECONDS // rate_per_s, blocking=True)
    arrivals_ns: list[int] = []
    took_ns: list[int] = []
    try:
        while len(arrivals_ns) < rate_per_s * seconds:
            due = read_ticks(timer)
            began_ns = monotonic_ns()
            os.write(log, RECORD * due)
            os.fdatasync(log)
            ended_ns = monotonic_ns()
            took_ns.append(ended_ns - began_ns)
            arrivals_ns += [ended_ns] * due
    finally:
        os.close(log)
        os.close(timer)
    return latencies_ns(arrivals_ns, start_ns, rate_per_s), took_ns


def main() -> None:
    """Print percentiles for some rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", help="default: the system's temporary directory")
    parser.add_argument("--seconds", type=float, default=10, help="of a run; default: %(default)s")
    parser.add_argument("--filled", action="store_true", help="write into a file of zeros")
    parser.add_argument("--repetitions", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    kind = "into a file of zeros" if options.filled else "at the end of a file"
    print(f"1 KiB {kind}, {options.repetitions} repetitions of {options.seconds:g} s, ms")
    for rate_per_s in (100, 1_000, 10_000):
        for number in range(options.repetitions):
            with TemporaryDirectory(dir=options.directory) as directory:
                if options.filled:
                    # Some more: what is due at the very end comes on top.
                    fill(f"{directory}/log", int(len(RECORD) * rate_per_s * (options.seconds + 1)))
                waited_ns, took_ns = run(f"{directory}/log", rate_per_s, options.seconds)
            skip = len(took_ns) // 10
            print(f"{rate_per_s:6,}/s {number + 1}  one sync  {_text(took_ns, skip)}")
            print(f"             a record  {_text(waited_ns, len(waited_ns) // 10)}", flush=True)


def _text(measured_ns: list[int], skip: int) -> str:
    return "  ".join(f"{name} {ms:.2f}" for name, ms in quantiles_ms(measured_ns, skip).items())


if __name__ == "__main__":
    main()
