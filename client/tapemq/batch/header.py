"""The broker's half of a batch: 88 bytes in front of the body."""

from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final, NamedTuple

from tapemq.batch.checksum import CRC32, checksum
from tapemq.batch.errors import BatchError, ChecksumMismatch, UnknownFormat
from tapemq.batch.limits import BODY_BYTES_MAX, COUNT_MAX
from tapemq.batch.log_id import LogId, Role

MAGIC: Final = b"TMQB"
VERSION: Final = 1

_LAYOUT: Final = Struct(
    ">"
    "4s"  # magic
    "B"  # version
    "B"  # kind
    "B"  # checksum_kind
    "B"  # flags
    "Q"  # topic_id
    "I"  # partition
    "I"  # role
    "I"  # log_epoch
    "I"  # count
    "Q"  # base_offset
    "Q"  # batch_number
    "Q"  # append_time_us
    "Q"  # durable_upto
    "Q"  # durable_batch
    "I"  # previous_checksum
    "I"  # body_length
    "I"  # body_checksum
)
_CHECKSUM: Final = Struct(">I")
_CHECKED_BYTES: Final = _LAYOUT.size
HEADER_BYTES: Final = _CHECKED_BYTES + _CHECKSUM.size
assert HEADER_BYTES == 88


class Kind(IntEnum):
    """What the records of a batch are."""

    DATA = 0
    MARK = 1
    GROUP = 2
    CATALOG = 3
    SCHEDULE = 4
    COMMIT = 5
    GAP = 6


class HeaderFlag(IntFlag):
    """Bits of the header's ``flags``."""

    SNAPSHOT = 1


class Outline(NamedTuple):
    """What is needed of a header to find records in batches that were checked before."""

    record_count: int
    base_offset: int
    append_time_us: int
    body_length: int


_OUTLINE: Final = Struct(">28xIQ8xQ20xI")

_OFFSET_MAX: Final = 2**64 - 1
_KNOWN_FLAGS: Final = int(HeaderFlag.SNAPSHOT)
_KINDS: Final = {int(kind): kind for kind in Kind}
_ROLES: Final = {int(role): role for role in Role}


class Header(NamedTuple):
    """A decoded batch header; the specification of each field is in ``tapemq.batch``."""

    kind: Kind
    flags: int
    log_id: LogId
    log_epoch: int
    record_count: int
    base_offset: int
    batch_number: int
    append_time_us: int
    durable_upto: int
    durable_batch: int
    previous_checksum: int
    body_length: int
    body_checksum: int
    header_checksum: int = 0

    @property
    def next_offset(self) -> int:
        """The offset behind the last record."""
        return self.base_offset + self.record_count

    @property
    def batch_bytes(self) -> int:
        """Size of header and body."""
        return HEADER_BYTES + self.body_length

    def encode(self) -> tuple[bytes, int]:
        """The 88 bytes, and the header checksum that they end with (``self``'s is ignored)."""
        head = _LAYOUT.pack(MAGIC, VERSION, self.kind, CRC32, self.flags, *self.log_id, *self[3:13])
        own = checksum(head)
        return head + _CHECKSUM.pack(own), own

    def check_body(self, body: bytes | memoryview) -> None:
        """Raise ChecksumMismatch unless ``body`` is the one that this header was written for."""
        if len(body) != self.body_length or checksum(body) != self.body_checksum:
            raise ChecksumMismatch(
                f"batch {self.batch_number} at offset {self.base_offset}: its body of "
                f"{len(body)} bytes does not match the checksum in its header"
            )


def read_outline(data: bytes | memoryview, position: int) -> Outline:
    """The outline of a whole header that was checked before: a tenth of decode_header()'s time."""
    return Outline._make(_OUTLINE.unpack_from(data, position))


def decode_header(data: bytes | bytearray | memoryview, position: int = 0) -> Header:
    """Decode the header at ``position``.

    Raises ChecksumMismatch for damaged bytes, UnknownFormat for another version, BatchError for
    what is not a header at all or says something impossible.
    """
    if len(data) - position < HEADER_BYTES:
        raise BatchError(f"a header takes {HEADER_BYTES} bytes, {len(data) - position} are left")
    fields = _LAYOUT.unpack_from(data, position)
    magic, version, kind, checksum_kind, flags = fields[:5]
    if magic != MAGIC:
        raise BatchError(f"no batch starts here: magic is {magic!r}, not {MAGIC!r}")
    (own,) = _CHECKSUM.unpack_from(data, position + _CHECKED_BYTES)
    if checksum(memoryview(data)[position : position + _CHECKED_BYTES]) != own:
        raise ChecksumMismatch("the header does not match its checksum")
    if version != VERSION or checksum_kind != CRC32:
        raise UnknownFormat(f"batch version {version}, checksum kind {checksum_kind}")
    if kind not in _KINDS or fields[7] not in _ROLES or flags & ~_KNOWN_FLAGS:
        raise UnknownFormat(f"batch kind {kind}, log role {fields[7]}, flags {flags:#x}")
    log_id = LogId(fields[5], fields[6], _ROLES[fields[7]])
    header = Header._make((_KINDS[kind], flags, log_id, *fields[8:], own))
    _check_plausible(header)
    return header


def _check_plausible(header: Header) -> None:
    count, size_bytes = header.record_count, header.body_length
    if count > COUNT_MAX or size_bytes > BODY_BYTES_MAX or header.next_offset > _OFFSET_MAX:
        raise BatchError(
            f"a batch of {count} records in {size_bytes} bytes at offset {header.base_offset}"
        )
    if header.kind is Kind.MARK and (count or size_bytes):
        raise BatchError(f"a mark with {count} records and a body of {size_bytes} bytes")
