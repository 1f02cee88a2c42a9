"""Logs written by hand, byte by byte, for tests of what reads them."""

from collections.abc import Sequence

from tapemq.batch import Columns, Header, Kind, LogId, Role, checksum, encode_body
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.index import Index, Seal
from tapemq_broker.storage.paths import index_path, segment_path

LOG_ID = LogId(7, 0, Role.DATA)
DIRECTORY = "topics/default/orders~0000000000000007/0"


class Placed:
    """A batch in the log, and where it is."""

    def __init__(self, segment_base: int, position: int, header: Header, body: bytes) -> None:
        self.segment_base = segment_base
        self.position = position
        self.header = header
        self.body = body

    @property
    def data(self) -> bytes:
        return self.header.encode()[0] + self.body

    @property
    def end(self) -> int:
        return self.position + self.header.batch_bytes


class RawLog:
    """Appends batches without an engine. What is durable is what synced() was called after."""

    def __init__(self, disk: Disk, directory: str = DIRECTORY, log_id: LogId = LOG_ID) -> None:
        self.disk = disk
        self.directory = directory
        self.log_id = log_id
        self.end = LogEnd()
        self.durable = LogEnd()
        self.placed: list[Placed] = []
        self.epoch = 0
        self.now_us = 1_000_000
        disk.make_directory(directory)
        self.base = 0
        self._file = disk.open(segment_path(directory, 0), create=True)

    @property
    def path(self) -> str:
        """The segment that is appended to."""
        return segment_path(self.directory, self.base)

    def roll(self) -> None:
        """Begin the next segment."""
        self.base = self.end.next_offset
        self._file = self.disk.open(self.path, create=True)

    def append(self, kind: Kind, count: int, body: bytes, flags: int = 0) -> Placed:
        self.now_us += 1000
        header = Header(
            kind,
            flags,
            self.log_id,
            self.epoch,
            count,
            self.end.next_offset,
            self.end.next_batch,
            self.now_us,
            self.durable.next_offset,
            self.durable.next_batch,
            self.end.last_checksum,
            len(body),
            checksum(body),
        )
        header = header._replace(header_checksum=header.encode()[1])
        placed = Placed(self.base, self._file.size_bytes, header, body)
        self._file.append([placed.data])
        self.end = self.end.step(header, memoryview(body), self.log_id)
        self.placed.append(placed)
        return placed

    def data(self, *values: bytes | None, keys: Sequence[bytes | None] | None = None) -> Placed:
        return self.append(Kind.DATA, len(values), encode_body(Columns(values, keys)))

    def mark(self) -> Placed:
        """What an idle log, or a recovery, appends: everything before it is on disk."""
        self.synced()
        return self.append(Kind.MARK, 0, b"")

    def synced(self) -> None:
        """Everything up to here is on disk, and the next batch says so."""
        self.durable = self.end
        for base in {placed.segment_base for placed in self.placed} | {self.base}:
            self.disk.sync_now(self.disk.open(segment_path(self.directory, base)))
        self.disk.sync_directory(self.directory)

    def seal(self, base: int | None = None) -> None:
        """Write the index of a segment, which says that it was on disk."""
        base = self.base if base is None else base
        inside = [placed for placed in self.placed if placed.segment_base == base]
        index, end = Index(), LogEnd.before(inside[0].header)
        for placed in inside:
            index.add(placed.header, placed.position, 1024)
            end = end.step(placed.header, memoryview(placed.body), self.log_id)
        last = inside[-1]
        seal = Seal(self.log_id, base, last.end, last.position, end, base != self.base)
        self.disk.replace_file(index_path(self.directory, base), index.encode(seal))

    def clean_entry(self) -> CleanEntry:
        """What a clean stop would note."""
        return CleanEntry(self.log_id, 0, self.base, self._file.size_bytes, *self.end)
