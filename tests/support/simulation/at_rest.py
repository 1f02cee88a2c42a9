"""What a broker makes of a disk that is damaged while the machine is down: tried on copies.

A start from a copy of the disk says what is there; starts from damaged copies must find the same,
or refuse what is damaged. Records may be missing only where nothing that is left proves that they
were on disk, which is the limit that the recovery table names.
"""

import errno
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from tapemq.batch import HEADER_BYTES, Kind, decode_columns
from tapemq_broker.config import Settings
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import CATALOG, read_catalog
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.startup import Startup
from tapemq_broker.server.world import World
from tapemq_broker.storage.clean import look_at_clean
from tapemq_broker.storage.directory import CATALOG_PATH, DataDirectory
from tapemq_broker.storage.errors import CorruptLog, DataDirectoryError, LogRefused
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tests.support.disk_image import Image, fill, take_image
from tests.support.log_reader import Read, read_batches
from tests.support.simulation.clocks import BrokerRandom
from tests.support.simulation.damage import Damaged, batches_in

WHOLE: Final = "the data directory"


class Fatal(Exception):
    """The broker ends itself."""


class CopiedDisk(MemoryDisk):
    """A disk with the files of an image; one of them may be unreadable."""

    def __init__(self, image: Image, unreadable: str = "") -> None:
        super().__init__()
        self._unreadable = ""
        fill(self, image)
        self._unreadable = unreadable

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        file = super().open(path, create=create)
        return _BadFile(file) if path == self._unreadable else file


class _BadFile(MemoryFile):
    def __init__(self, file: MemoryFile) -> None:
        super().__init__(file.path, file.content, file.new_in)

    def read(self, position: int, size_bytes: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error", self.path)


class _StoppedClock:
    def __init__(self, wall_us: int) -> None:
        self._wall_us = wall_us

    def monotonic(self) -> float:
        return 1.0

    def wall_us(self) -> int:
        return self._wall_us


class _TellingStartup(Startup):
    """Keeps what is refused, with the row that says so."""

    refused: dict[str, str]

    def _refuse(self, topic: Topic, what: str, refused: LogRefused | CorruptLog) -> None:
        self.refused[refused.segment] = _row(refused)


class _Hole(NamedTuple):
    from_offset: int
    to_offset: int


@dataclass
class Found:
    """What a start found. ``refused`` is by the segment or directory that the error names."""

    rows: Counter[str] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[int, Read]] = field(default_factory=dict)
    holes: dict[str, list[_Hole]] = field(default_factory=dict)
    first_offsets: dict[str, int] = field(default_factory=dict)
    before: Image = field(default_factory=dict)
    image: Image = field(default_factory=dict)
    was_clean: bool = False


def start(image: Image, settings: Settings, now_us: int, unreadable: str = "") -> Found:
    """Start on a copy of the image, read everything, and go away."""
    found, disk = Found(before=image), CopiedDisk(image, unreadable)
    world = World(disk, _StoppedClock(now_us), BrokerRandom(Random(0)), _fatal)
    try:
        directory = DataDirectory.open(disk, bytes(16))
        clean = look_at_clean(disk)
        found.was_clean = bool(clean.entries)
        logs = Logs(world, directory, settings)
        startup = _TellingStartup(
            world, settings, logs, clean.entries, Counters(), RecoveryProgress()
        )
        startup.refused = found.refused
        startup.load()
    except (LogRefused, CorruptLog) as error:
        found.refused[WHOLE] = _row(error)
    except (DataDirectoryError, OSError, Fatal):
        found.refused[WHOLE] = "START"
    else:
        _read_all(logs, found)
    found.rows.update(found.refused.values())
    found.image = take_image(disk)
    return found


def _read_all(logs: Logs, found: Found) -> None:
    groups = [state.log for log_id, state in logs._states.items() if log_id != CATALOG]
    catalog = logs._states[CATALOG].log
    found.rows[catalog.recovered.row.name] += 1
    for log in (*groups, *(log for _, log in logs.data_logs())):
        found.rows[log.recovered.row.name] += 1
        found.first_offsets[log.directory] = log.first_offset
        found.records[log.directory] = dict(_read(log, found))


def _read(log: Log, found: Found) -> Iterator[tuple[int, Read]]:
    """The records of a log; what cannot be read is a hole."""
    holes = found.holes[log.directory] = []
    offset = log.first_offset
    while offset < log.next_offset:
        try:
            chunk = log.plan(offset, upto=log.next_offset, max_bytes=1 << 20).run(wait=True)
        except (CorruptLog, OSError) as error:
            upto = error.to_offset if isinstance(error, CorruptLog) else log.next_offset
            upto = max(upto, offset + 1)
            holes.append(_Hole(offset, upto))
            offset = upto
            continue
        assert chunk is not None
        yield from ((at, read) for at, read in read_batches(chunk.data).items() if at >= offset)
        offset = chunk.next_offset


def complaints(truth: Found, damaged: Damaged, found: Found) -> Iterator[str]:
    """What is wrong about a start from a damaged copy."""
    if WHOLE in found.refused:
        if not damaged.may_stop_all:
            yield f"{damaged}: the broker does not start at all: {found.refused[WHOLE]}"
        return
    strangers = [
        path
        for path, row in found.refused.items()
        if not damaged.touches(path) and not _was_deleted(truth, damaged, path, row)
    ]
    if strangers:
        yield f"{damaged}: refused without a reason: {strangers}"
    for directory, records in truth.records.items():
        if directory in found.records:
            yield from _differences(truth, damaged, found, directory, records)
        elif not any(
            path.startswith(directory + "/") or path == directory for path in found.refused
        ) and _was_proven_to_exist(truth, damaged, directory):
            yield f"{damaged}: {directory} is neither open nor refused"


def _was_deleted(truth: Found, damaged: Damaged, path: str, row: str) -> bool:
    """Whether the damage may have taken the catalog's word that a topic was deleted."""
    is_there = any(there.startswith(path + "/") for there in truth.image)
    return row == "MISSING_LOG" and damaged.touches(CATALOG_PATH) and not is_there


def _was_proven_to_exist(truth: Found, damaged: Damaged, directory: str) -> bool:
    """A note of a clean stop, or a sound batch behind, says that the catalog named it."""
    folder, log = directory.split("/")[2:]
    topic_id, number = int(folder.rpartition("~")[2], 16), int(log.partition(".")[0])
    proven = _proven_upto(truth, damaged, CATALOG_PATH)
    return truth.was_clean or any(
        topic.topic_id == topic_id and topic.partitions > number
        for path, content in truth.image.items()
        if path.startswith(CATALOG_PATH + "/") and path.endswith(".log")
        for _, header, data in batches_in(content)
        if header.base_offset < proven and header.kind is Kind.CATALOG
        for topic in _topics_in(data)
    )


def _topics_in(batch: bytes) -> list[TopicInfo]:
    """What a batch of the catalog says of topics."""
    values, keys, _ = decode_columns(memoryview(batch)[HEADER_BYTES:])
    entries = zip(keys or (), values, strict=True)
    return read_catalog({key: value for key, value in entries if key and value}).topics


def _differences(
    truth: Found, damaged: Damaged, found: Found, directory: str, records: dict[int, Read]
) -> Iterator[str]:
    there = found.records[directory]
    superseded = _superseded(truth, directory)
    for offset, read in there.items():
        if read not in (records.get(offset), superseded.get(offset)):
            yield f"{damaged}: {directory} at {offset} reads {read}, not {records.get(offset)}"
    proven = _proven_upto(truth, damaged, directory)
    for offset in records.keys() - there.keys():
        known = any(hole.from_offset <= offset < hole.to_offset for hole in found.holes[directory])
        aged = damaged.is_lost_file and offset < found.first_offsets[directory]
        if not known and not aged and (offset < proven or truth.was_clean):
            yield f"{damaged}: {directory} has lost offset {offset} in silence"
            return


def _superseded(truth: Found, directory: str) -> dict[int, Read]:
    """What a start on the sound image removes, because a snapshot behind it says it all: a start
    that does not have the snapshot has to go by this."""
    found: dict[int, Read] = {}
    for path, content in truth.before.items():
        if path.startswith(directory + "/") and path.endswith(".log"):
            for _, header, data in batches_in(content):
                if header.base_offset < truth.first_offsets[directory]:
                    found |= read_batches(data)
    return found


def _proven_upto(truth: Found, damaged: Damaged, directory: str) -> int:
    """The offset below which a sound batch behind says that everything was on disk.

    Of the batches that are left as they were; each proves only what is in front of it.
    """
    proven = 0
    for path in truth.image:
        if path.startswith(directory + "/") and path.endswith(".log"):
            for position, header, data in batches_in(truth.image[path]):
                left = damaged.image.get(path, b"")[position : position + len(data)]
                if left == data and path != damaged.unreadable:
                    proven = max(proven, min(header.durable_upto, header.base_offset))
    return proven


def _row(error: LogRefused | CorruptLog) -> str:
    return error.row if isinstance(error, LogRefused) else "CORRUPT"


def _fatal(reason: str) -> None:
    raise Fatal(reason)
