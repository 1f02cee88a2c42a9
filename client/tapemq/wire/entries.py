"""Packed entries: which records of which leases, and runs of offsets.

Big-endian. A *token* entry is ``lease_id u64, first_offset u64, count u32``: so many records of a
lease, one behind the other. A *run* is ``first_offset u64, count u32``. A *time* is a u64 of
microseconds.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final, NamedTuple

from tapemq.wire.errors import ProtocolError
from tapemq.wire.limits import RUNS_MAX, SCHEDULES_MAX, TOKENS_MAX

_TOKEN: Final = Struct(">QQI")
_RUN: Final = Struct(">QI")
_TIME: Final = Struct(">Q")
TOKEN_BYTES: Final = _TOKEN.size
RUN_BYTES: Final = _RUN.size
assert (TOKEN_BYTES, RUN_BYTES) == (20, 12)

_OFFSET_MAX: Final = 2**64 - 1


class Tokens(NamedTuple):
    """So many records of a lease, from ``first_offset`` on."""

    lease_id: int
    first_offset: int
    records: int


class Run(NamedTuple):
    """So many records from ``first_offset`` on."""

    first_offset: int
    records: int


def pack_tokens(entries: Iterable[tuple[int, int, int]]) -> bytes:
    """(lease id, first offset, count) of each. More than TOKENS_MAX do not fit into a frame."""
    pack = _TOKEN.pack
    return b"".join([pack(*entry) for entry in entries])


def unpack_tokens(data: bytes | memoryview) -> list[Tokens]:
    """The entries of a payload, in any order. Raises ProtocolError for what cannot be one."""
    size_bytes = len(data)
    if size_bytes % TOKEN_BYTES or size_bytes > TOKEN_BYTES * TOKENS_MAX:
        raise ProtocolError(
            f"{size_bytes} bytes of token entries: each takes {TOKEN_BYTES}, and {TOKENS_MAX} fit"
        )
    entries = list(map(Tokens._make, _TOKEN.iter_unpack(data)))
    for entry in entries:
        _check(entry.first_offset, entry.records)
    return entries


def pack_runs(runs: Iterable[tuple[int, int]]) -> bytes:
    """(first offset, count) of each, ascending and disjoint."""
    return b"".join([_RUN.pack(*run) for run in runs])


def unpack_runs(data: bytes | memoryview) -> Sequence[Run]:
    """Ascending, disjoint runs. Raises ProtocolError for anything else."""
    size_bytes = len(data)
    if size_bytes % RUN_BYTES or size_bytes > RUN_BYTES * RUNS_MAX:
        raise ProtocolError(
            f"{size_bytes} bytes of runs: each takes {RUN_BYTES}, and {RUNS_MAX} fit"
        )
    runs = list(map(Run._make, _RUN.iter_unpack(data)))
    end = 0
    for run in runs:
        _check(run.first_offset, run.records)
        if run.first_offset < end:
            raise ProtocolError(f"a run from offset {run.first_offset}, below {end}")
        end = run.first_offset + run.records
    return runs


def pack_times(times_us: Iterable[int]) -> bytes:
    """Microseconds of each. More than SCHEDULES_MAX are refused."""
    return b"".join(map(_TIME.pack, times_us))


def unpack_times(data: bytes | memoryview) -> Sequence[int]:
    """Raises ProtocolError for what is no list of times."""
    size_bytes = len(data)
    if size_bytes % _TIME.size or size_bytes > _TIME.size * SCHEDULES_MAX:
        raise ProtocolError(
            f"{size_bytes} bytes of times: each takes {_TIME.size}, and {SCHEDULES_MAX} fit"
        )
    return [time_us for (time_us,) in _TIME.iter_unpack(data)]


def _check(first_offset: int, count: int) -> None:
    if not count or first_offset + count > _OFFSET_MAX:
        raise ProtocolError(f"{count} records from offset {first_offset} on")
