"""The data directory: whose it is, which format it has, and where each log lies.

::

    FORMAT     "tapemq 1 <broker id: 32 hexadecimal digits> <CRC-32 of that: 8 digits>"
    LOCK       locked by the process that uses the directory
    BOOT       the number of the last start, in case that the catalog forgets it
    CLEAN      between a clean stop and the next start
    catalog/
    topics/<namespace>/<topic>~<topic id: 16 hexadecimal digits>/<partition>/
    topics/<namespace>/<topic>~<topic id>/<partition>.groups/
    topics/<namespace>/<topic>~<topic id>/<partition>.schedule/

A topic's directory is renamed to ``<topic>~<topic id>.deleted`` before anything in it is removed;
what an interrupted removal left is removed at the next start. A directory of which the catalog
neither knows the topic nor that it was deleted is never removed: the catalog may be what is wrong.
"""

import errno
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from tapemq.batch import LogId, Role, checksum
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.errors import DataDirectoryError

FORMAT_PATH: Final = "FORMAT"
FORMAT_VERSION: Final = 1
BROKER_ID_BYTES: Final = 16
CATALOG_ID: Final = LogId(0, 0, Role.CATALOG)
CATALOG_PATH: Final = "catalog"
DEFAULT_NAMESPACE: Final = "default"

_TOPICS: Final = "topics"
_DELETED: Final = ".deleted"
_SUFFIXES: Final = {Role.DATA: "", Role.GROUPS: ".groups", Role.SCHEDULE: ".schedule"}
_FORMAT: Final = re.compile(rb"(tapemq (\d{1,9}) ([0-9a-f]{32})) ([0-9a-f]{8})\n")
_NEWER: Final = re.compile(rb"tapemq (\d{1,9})\b")
_TOPIC: Final = re.compile(r"([A-Za-z0-9._@-]+)~([0-9a-f]{16})")
_PARTITION: Final = re.compile(r"(0|[1-9]\d{0,9})(\.groups|\.schedule|)")
_NOT_WRITABLE: Final = (errno.EROFS, errno.EACCES, errno.EPERM)
# What may be in a directory that nobody has used yet.
_NEW_NAMES: Final = frozenset({"LOCK", f"{FORMAT_PATH}.tmp", "lost+found/"})


class LogPlace(NamedTuple):
    """A log on disk. The catalog has no namespace and no topic."""

    namespace: str
    topic: str
    log_id: LogId
    path: str


CATALOG_PLACE: Final = LogPlace("", "", CATALOG_ID, CATALOG_PATH)


class DataDirectory:
    """A data directory that this process may use."""

    def __init__(self, disk: Disk, broker_id: bytes) -> None:
        self.disk: Final = disk
        self.broker_id: Final = broker_id
        self.catalog_path: Final = CATALOG_PATH
        self.complaints: Final[list[str]] = []
        """What could not be tidied up at the start; no reason not to go on."""

    @classmethod
    def open(cls, disk: Disk, new_broker_id: bytes) -> "DataDirectory":
        """Lock a directory for a broker; an empty one becomes a data directory of that id.

        Raises DataDirectoryError, with nothing changed: another process uses it, it has a newer
        format, or it is not a data directory. Raises OSError.
        """
        disk.make_directory("")
        _refuse_foreign(disk)  # before a lock is left in it
        _lock_for_writing(disk)
        data = disk.read_file(FORMAT_PATH)
        if data is not None:
            directory = cls(disk, _broker_id(data))
            directory._finish_removals()
            return directory
        _refuse_foreign(disk)
        if len(new_broker_id) != BROKER_ID_BYTES:
            raise ValueError(f"a broker id has {BROKER_ID_BYTES} bytes, not {len(new_broker_id)}")
        disk.replace_file(FORMAT_PATH, _format_line(new_broker_id))
        return cls(disk, new_broker_id)

    @classmethod
    def open_offline(cls, disk: Disk, *, for_writing: bool) -> "DataDirectory":
        """Take a data directory that no broker uses, for the offline tools.

        For reading, a copy that cannot be locked (a read-only one, or one without the file) will
        do. Raises DataDirectoryError as open(), and OSError.
        """
        data = disk.read_file(FORMAT_PATH)
        if data is None:
            raise DataDirectoryError(f"there is no file {FORMAT_PATH}: this is no data directory")
        broker_id = _broker_id(data)
        if for_writing:
            _lock_for_writing(disk)
        else:
            with suppress(OSError):
                _lock(disk)
        return cls(disk, broker_id)

    def topic_path(self, topic: str, topic_id: int, namespace: str = DEFAULT_NAMESPACE) -> str:
        """The directory of a topic."""
        return f"{_TOPICS}/{namespace}/{topic}~{topic_id:016x}"

    def log_path(self, topic: str, log_id: LogId, namespace: str = DEFAULT_NAMESPACE) -> str:
        """The directory of one of a topic's logs."""
        parent = self.topic_path(topic, log_id.topic_id, namespace)
        return f"{parent}/{log_id.partition}{_SUFFIXES[log_id.role]}"

    def place_of(self, path: str) -> LogPlace | None:
        """The log that lies, or should lie, at a path within the directory; None for others."""
        parts = path.strip("/").split("/")
        if parts == [CATALOG_PATH]:
            return CATALOG_PLACE
        if len(parts) != 4 or parts[0] != _TOPICS:
            return None
        topic, partition = _TOPIC.fullmatch(parts[2]), _PARTITION.fullmatch(parts[3])
        if topic is None or partition is None:
            return None
        roles = {suffix: role for role, suffix in _SUFFIXES.items()}
        log_id = LogId(int(topic[2], 16), int(partition[1]), roles[partition[2]])
        return LogPlace(parts[1], topic[1], log_id, "/".join(parts))

    def logs(self) -> list[LogPlace]:
        """All logs on disk, the catalog first. Names that are no log's are passed over.

        So are topics whose directories cannot be read: see unreadable_topics().
        """
        paths = [CATALOG_PATH] if _exists(self.disk, CATALOG_PATH) else []
        for parent in self._topics():
            with suppress(OSError):
                paths += [f"{parent}/{name}" for name in _folders(self.disk, parent)]
        places = [place for place in map(self.place_of, paths) if place]
        return in_order(places)

    def unreadable_topics(self) -> Iterator[tuple[str, OSError]]:
        """The directories of topics that the disk does not give, and why."""
        for path in self._topics():
            try:
                self.disk.list_directory(path)
            except OSError as error:
                yield path, error

    def _topics(self) -> Iterator[str]:
        for namespace in _folders(self.disk, _TOPICS):
            for folder in _folders(self.disk, f"{_TOPICS}/{namespace}"):
                yield f"{_TOPICS}/{namespace}/{folder}"

    def remove_topic(self, topic: str, topic_id: int, namespace: str = DEFAULT_NAMESPACE) -> None:
        """Remove a topic's files. Blocks; a crash on the way is made good at the next start.

        The topic must be gone from the catalog, durably. Raises OSError.
        """
        path = self.topic_path(topic, topic_id, namespace)
        parent = f"{_TOPICS}/{namespace}"
        if f"{topic}~{topic_id:016x}/" in self.disk.list_directory(parent):
            self.disk.rename(path, path + _DELETED)
            self.disk.sync_directory(parent)
            _remove_tree(self.disk, path + _DELETED)

    def _finish_removals(self) -> None:
        for path in list(self._topics()):
            if path.endswith(_DELETED):
                self._finish_removal(path)

    def _finish_removal(self, path: str) -> None:
        try:
            _remove_tree(self.disk, path)
        except OSError as error:
            self.complaints.append(
                f"{path} is left of a deleted topic and cannot be removed: {error}; "
                "it is tried again at the next start, or remove it by hand"
            )

    @property
    def has_topics(self) -> bool:
        """Whether topics were made here: then a catalog was, before them."""
        return any(True for _ in self._topics())

    def unknown_topics(self, known: Collection[str], refused: Collection[str] = ()) -> list[str]:
        """The directories of topics that are none of the ``known`` ones; see topic_path().

        ``refused`` are names of topics of which the catalog does not say where they are.
        """
        return [
            path
            for path in self._topics()
            if path not in known
            and not path.endswith(_DELETED)
            and path.rpartition("/")[2].rpartition("~")[0] not in refused
        ]

    def partitions_behind(self, topic: str, topic_id: int, partitions: int) -> list[str]:
        """The directories of records of a topic beside those of its ``partitions`` partitions.

        As far as that of the topic can be read.
        """
        parent = self.topic_path(topic, topic_id)
        places: list[LogPlace | None] = []
        with suppress(OSError):
            places += [self.place_of(f"{parent}/{name}") for name in _folders(self.disk, parent)]
        return [
            place.path
            for place in in_order(place for place in places if place)
            if place.log_id.role is Role.DATA and place.log_id.partition >= partitions
        ]


def _refuse_foreign(disk: Disk) -> None:
    """Raise DataDirectoryError if a directory has something in it and is no data directory."""
    strange = [name for name in disk.list_directory("") if name not in _NEW_NAMES]
    if strange and disk.read_file(FORMAT_PATH) is None:
        raise DataDirectoryError(
            f"the directory holds {strange[0]!r} but no file {FORMAT_PATH}, so it is not a "
            "data directory; name another one, or an empty one"
        )


def in_order(places: Iterable[LogPlace]) -> list[LogPlace]:
    """By topic and partition, the catalog first."""
    return sorted(places, key=lambda place: (place[:2], place.log_id))


def _lock(disk: Disk) -> None:
    try:
        disk.lock()
    except BlockingIOError:
        raise DataDirectoryError(
            "another process uses the data directory: a broker, or one of its tools; stop it first"
        ) from None


def _lock_for_writing(disk: Disk) -> None:
    try:
        _lock(disk)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise DataDirectoryError(
            f"nothing can be written to the data directory ({error}), which brokers and repairs "
            "have to: make it writable, or use a copy of it"
        ) from error


def _format_line(broker_id: bytes) -> bytes:
    line = f"tapemq {FORMAT_VERSION} {broker_id.hex()}".encode()
    return line + f" {checksum(line):08x}\n".encode()


def _broker_id(data: bytes) -> bytes:
    known = _FORMAT.fullmatch(data)
    if known and int(known[2]) == FORMAT_VERSION and int(known[4], 16) == checksum(known[1]):
        return bytes.fromhex(known[3].decode())
    named = _NEWER.match(data)
    if named and int(named[1]) > FORMAT_VERSION:
        raise DataDirectoryError(
            f"the data directory has format {int(named[1])}, this version knows up to "
            f"{FORMAT_VERSION}: start the version that wrote it, or a newer one"
        )
    raise DataDirectoryError(
        f"the file {FORMAT_PATH} is damaged: it says {data[:80]!r}, not "
        f"'tapemq {FORMAT_VERSION} <broker id> <checksum>'; restore it from a copy"
    )


def _exists(disk: Disk, path: str) -> bool:
    """Whether there is a directory with anything in it; as far as that can be told."""
    try:
        return bool(disk.list_directory(path))
    except OSError:
        return True


def _folders(disk: Disk, path: str) -> list[str]:
    return [name[:-1] for name in disk.list_directory(path) if name.endswith("/")]


def _remove_tree(disk: Disk, path: str) -> None:
    for name in disk.list_directory(path):
        if name.endswith("/"):
            _remove_tree(disk, f"{path}/{name[:-1]}")
        else:
            disk.remove(f"{path}/{name}")
    disk.remove(path)
