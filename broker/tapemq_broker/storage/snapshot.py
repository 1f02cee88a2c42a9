"""An observer's state at rest: never trusted over the log, and all that is left of what retention
has removed from it.

File, integers big-endian and unsigned::

    magic "TMQS" | version u8 | three zero bytes
    log id: topic_id u64, partition u32, role u32
    end: next_offset u64, next_batch u64, last_checksum u32
    state
    CRC-32 of everything before it, u32

The end says of which history it is the state: where a tail was cut off and written anew, the
same offset has another checksum before it, and the state does not apply.
"""

from struct import Struct
from typing import Final

from tapemq.batch import LogId, checksum
from tapemq_broker.storage.chain import LogEnd

_MAGIC: Final = b"TMQS"
_VERSION: Final = 1
_HEAD: Final = Struct(">4sB3x QII QQI")
_CHECKSUM: Final = Struct(">I")


def encode_snapshot(log_id: LogId, end: LogEnd, state: bytes) -> bytes:
    """The state as of ``end`` as a file."""
    data = _head(log_id, end) + state
    return data + _CHECKSUM.pack(checksum(data))


def decode_snapshot(data: bytes, log_id: LogId, end: LogEnd) -> bytes | None:
    """The state; None if a bit is wrong, or it is that of another log or another end."""
    if data[: _HEAD.size] != _head(log_id, end) or not is_whole(data, log_id, end.next_offset):
        return None
    return data[_HEAD.size : -_CHECKSUM.size]


def is_whole(data: bytes, log_id: LogId, next_offset: int) -> bool:
    """Whether every bit of a file is right, and it is a state of that log as of an offset: of some
    history."""
    stop = len(data) - _CHECKSUM.size
    if stop < _HEAD.size:
        return False
    magic, version, *place = _HEAD.unpack_from(data)[:6]
    if (magic, version) != (_MAGIC, _VERSION) or place != [*log_id, next_offset]:
        return False
    return bool(_CHECKSUM.unpack_from(data, stop) == (checksum(data[:stop]),))


def _head(log_id: LogId, end: LogEnd) -> bytes:
    return _HEAD.pack(_MAGIC, _VERSION, *log_id, *end[:3])
