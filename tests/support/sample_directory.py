"""A small data directory with something of everything, written by the engine itself.

Its data log has about 16 KiB of batches with and without keys, headers, compression, tombstones
and marks, in several segments; there is also a group log, a catalog, and after a clean stop the
note of it.
"""

from typing import Final, NamedTuple

from tapemq.batch import (
    Codec,
    Columns,
    Header,
    Kind,
    LogId,
    Role,
    checksum,
    encode_body,
    encode_extras,
    iter_batches,
)
from tapemq_broker.storage.clean import CLEAN_PATH, write_clean
from tapemq_broker.storage.directory import CATALOG_ID, FORMAT_PATH, DataDirectory
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.record_log import LogSettings, NewBatch
from tapemq_broker.storage.state_log import StateLog
from tests.support.disk_image import take_image

BROKER_ID: Final = bytes(range(16))
DATA_ID: Final = LogId(7, 0, Role.DATA)
GROUPS_ID: Final = DATA_ID._replace(role=Role.GROUPS)
SETTINGS: Final = LogSettings(segment_bytes=3000, index_interval_bytes=1000)
START_US: Final = 1_700_000_000_000_000
DATA_PATH: Final = "topics/default/orders~0000000000000007/0"
GROUPS_PATH: Final = f"{DATA_PATH}.groups"
CATALOG_PATH: Final = "catalog"


class Tally:
    """An observer that sums up what it has seen."""

    def __init__(self) -> None:
        self.total = 0

    def restore(self, state: bytes | None) -> None:
        self.total = int(state or b"0")

    def observe(self, header: Header, body: memoryview) -> None:
        self.total += sum(body) * header.record_count

    def snapshot(self) -> bytes:
        return b"%d" % self.total


class Placed(NamedTuple):
    """A batch of the data log, and where it rests."""

    path: str
    position: int
    header: Header
    data: bytes

    @property
    def end(self) -> int:
        return self.position + self.header.batch_bytes


class Sample(NamedTuple):
    """The directory as files, and all that should be in it."""

    image: dict[str, bytes]
    is_clean: bool
    batches: list[Placed]
    total: int
    groups: dict[bytes, bytes]
    catalog: dict[bytes, bytes]

    @property
    def ends(self) -> list[int]:
        """The offsets behind the batches."""
        return [placed.header.next_offset for placed in self.batches]

    @property
    def segments(self) -> list[str]:
        """The paths of the data log's segments, oldest first."""
        return sorted({placed.path for placed in self.batches})

    def data_only(self) -> dict[str, bytes]:
        """The files that matter for the data log."""
        wanted = (f"{DATA_PATH}/", FORMAT_PATH, CLEAN_PATH)
        return {path: data for path, data in self.image.items() if path.startswith(wanted)}

    def batch_at(self, path: str, byte: int) -> Placed:
        """The batch that holds a byte of a segment."""
        return next(
            placed
            for placed in self.batches
            if placed.path == path and placed.position <= byte < placed.end
        )


def bodies() -> list[tuple[int, bytes]]:
    """Some bodies of each sort, with their record counts."""
    many = [b"value %d" % number for number in range(9)]
    keys = [b"key %d" % (number % 4) if number % 3 else None for number in range(9)]
    tombstones = [None if number % 2 else value for number, value in enumerate(many)]
    extras = [encode_extras({"trace": b"\x00\xff" * 4, "n": number}) for number in range(9)]
    sorts = [
        encode_body(Columns([b"x" * 150])),
        encode_body(Columns(many, keys)),
        encode_body(Columns(tombstones, keys), producer_id=9, first_sequence=70),
        encode_body(Columns(many, None, extras), producer_time_us=START_US),
        encode_body(Columns([b"compress me " * 30] * 3), codec=Codec.ZLIB),
        encode_body(Columns([b""], [b""])),
        encode_body(Columns(many * 2, keys * 2, extras * 2), codec=Codec.ZLIB, extension=b"later"),
    ]
    return [(int.from_bytes(body[4:8], "big"), body) for body in sorts]


def sync(disk: MemoryDisk, log: Log) -> None:
    """What a round of the flusher does."""
    target = log.begin_sync()
    for file in target.files:
        disk.sync_now(file)
    log.mark_durable(target)


def open_data(disk: MemoryDisk, now_us: int, tally: Tally, **claims: object) -> Log:
    """Open the data log as the broker does."""
    return Log.open(
        disk,
        DATA_PATH,
        DATA_ID,
        settings=SETTINGS,
        observer=tally,
        now_us=now_us,
        **claims,  # type: ignore[arg-type]
    )


def append(log: Log, count: int, body: bytes, now_us: int) -> int:
    """Append one batch of records."""
    return log.append(NewBatch(Kind.DATA, count, body, checksum(body)), now_us)


def _write_data(disk: MemoryDisk, log: Log, tally: Tally) -> None:
    now_us = START_US
    for turn in range(7):
        for count, body in bodies():
            now_us += 1000
            append(log, count, body, now_us)
            tally.total += sum(body) * count
            sync(disk, log)
        if turn % 2:
            log.mark(now_us)
    # The last sync round covers three batches, as it does under load.
    for count, body in bodies()[:3]:
        append(log, count, body, now_us + 1000)
        tally.total += sum(body) * count
    sync(disk, log)


LAST_PUT: Final = (b"entry 1", b"6", b"11")
"""What the last batch of a state log changes, from what to what: no later one proves it."""


def _write_state(disk: MemoryDisk, state: StateLog) -> None:
    for number in range(12):
        state.put({b"entry %d" % (number % 5): b"%d" % number, b"gone": None}, START_US)
        sync(disk, state.log)


def build_sample(*, is_clean: bool) -> Sample:
    """Write the directory; then stop cleanly, or crash."""
    disk = MemoryDisk()
    directory = DataDirectory.open(disk, BROKER_ID)
    tally = Tally()
    log = open_data(disk, START_US, tally)
    groups = StateLog.open(disk, GROUPS_PATH, GROUPS_ID, Kind.GROUP, now_us=START_US)
    catalog = StateLog.open(disk, directory.catalog_path, CATALOG_ID, Kind.CATALOG, now_us=START_US)
    _write_data(disk, log, tally)
    for state in (groups, catalog):
        _write_state(disk, state)
    if is_clean:
        closing = (log, groups, catalog)
        entries = [one.close(clean=True, now_us=START_US) for one in closing]
        write_clean(disk, [entry for entry in entries if entry is not None])
    image = take_image(disk)
    batches = list(_batches(image))
    return Sample(image, is_clean, batches, tally.total, groups.entries, catalog.entries)


def _batches(image: dict[str, bytes]) -> list[Placed]:
    found = []
    for path, data in sorted(image.items()):
        position = 0
        if path.startswith(f"{DATA_PATH}/") and path.endswith(".log"):
            for header, _ in iter_batches(data):
                end = position + header.batch_bytes
                found.append(Placed(path, position, header, data[position:end]))
                position = end
    return found
