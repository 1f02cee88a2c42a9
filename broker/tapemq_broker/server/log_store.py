"""Where the logs of a broker lie: opened, made, and removed. None is in use yet, or any more."""

from typing import NamedTuple

from tapemq.batch import Kind, LogId, Role
from tapemq_broker.config import Settings
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.producers import Producers
from tapemq_broker.core.queue.entries import durable_floor
from tapemq_broker.core.results import TopicInfo, TopicSettings
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.server.world import World
from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.errors import CorruptLog, LogRefused
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.observer import Observer
from tapemq_broker.storage.opening import Claims
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.segment_cache import SegmentCache
from tapemq_broker.storage.state_log import StateLog

_STATE_SEGMENT_BYTES = 4 * 1024 * 1024
_SCHEDULE_SEGMENT_BYTES = 16 * 1024 * 1024
_PARTS_OF_LIMIT = 4
"""A segment holds at most this part of the size that a partition is cut to: whole segments go only,
so the disk keeps so much more."""
_LIMITED_SEGMENT_BYTES_MIN = 1024 * 1024
"""However small that size is: a new segment costs some files, and some syncs."""


class Opened(NamedTuple):
    """A partition's logs, and the producers of what its records were found to be."""

    data: Log
    groups: StateLog
    producers: Producers


class LogStore:
    """Where logs lie, and with which settings they are opened."""

    def __init__(self, world: World, directory: DataDirectory, settings: Settings) -> None:
        self._world = world
        self._directory = directory
        self._settings = settings
        self._cache = SegmentCache(world.disk, files_max=world.segments_open_max)

    def open_catalog(self, clean: CleanEntry | None) -> StateLog:
        """Open the catalog. Raises LogRefused."""
        path, must_exist = self._directory.catalog_path, self._directory.has_topics
        return self._open_state(CATALOG, Kind.CATALOG, path, clean, must_exist=must_exist)

    def open_groups(
        self, info: TopicInfo, partition: int, *, clean: CleanEntry | None, must_exist: bool
    ) -> StateLog:
        """Open the group log of a partition. Raises LogRefused."""
        log_id = LogId(info.topic_id, partition, Role.GROUPS)
        path = self._directory.log_path(info.name, log_id)
        return self._open_state(log_id, Kind.GROUP, path, clean, must_exist=must_exist)

    def _open_state(
        self, log_id: LogId, kind: Kind, path: str, clean: CleanEntry | None, *, must_exist: bool
    ) -> StateLog:
        return StateLog.open(
            self._world.disk,
            path,
            log_id,
            kind,
            clean=clean,
            now_us=self._world.clock.wall_us(),
            settings=LogSettings(segment_bytes=_STATE_SEGMENT_BYTES),
            must_exist=must_exist,
            cache=self._cache,
        )

    def open_data(
        self,
        info: TopicInfo,
        partition: int,
        *,
        observer: Observer | None,
        clean: CleanEntry | None,
        durable_floor: int,
        must_exist: bool,
    ) -> Log:
        """Open the records of a partition. Raises LogRefused."""
        log_id = LogId(info.topic_id, partition, Role.DATA)
        claims = Claims(clean, durable_floor, must_exist)
        return self._open_log(info, log_id, self.settings_of(info), observer, claims)

    def has_schedules(self, info: TopicInfo) -> bool:
        """Whether there is, or may be, anything where the schedule log of a topic lies."""
        path = self._directory.log_path(info.name, LogId(info.topic_id, 0, Role.SCHEDULE))
        try:
            return bool(self._directory.disk.list_directory(path))
        except OSError:
            return True  # opening it says what is wrong

    def open_schedules(
        self, info: TopicInfo, *, observer: Observer, clean: CleanEntry | None, must_exist: bool
    ) -> Log:
        """Open the schedule log of a topic. Raises LogRefused, CorruptLog, LogFull, OSError."""
        log_id = LogId(info.topic_id, 0, Role.SCHEDULE)
        settings = LogSettings(segment_bytes=_SCHEDULE_SEGMENT_BYTES)
        return self._open_log(info, log_id, settings, observer, Claims(clean, 0, must_exist))

    def _open_log(
        self,
        info: TopicInfo,
        log_id: LogId,
        settings: LogSettings,
        observer: Observer | None,
        claims: Claims,
    ) -> Log:
        path, now_us = self._directory.log_path(info.name, log_id), self._world.clock.wall_us()
        return Log.open(
            self._world.disk,
            path,
            log_id,
            settings=settings,
            observer=observer,
            cache=self._cache,
            now_us=now_us,
            **claims._asdict(),
        )

    def told(self, refused: LogRefused | CorruptLog) -> str:
        """What the operator reads of a log that is refused: its commands work from anywhere."""
        if isinstance(refused, CorruptLog):
            return str(refused)
        return refused.told(str(self._settings.data_dir.absolute()))

    def settings_of(self, info: TopicInfo) -> LogSettings:
        """How the records of a topic are laid out."""
        own = int(info.settings.get("segment_bytes", 0))
        return LogSettings(segment_bytes=own or self._usual_segment_bytes(info.settings))

    def _usual_segment_bytes(self, own: TopicSettings) -> int:
        """The size of the settings, unless so large segments would keep what is to go."""
        limits_bytes = [own.get("retention_bytes", self._settings.retention_bytes)]
        if own.get("overflow") == "drop_oldest":
            limits_bytes.append(own.get("max_bytes", 0))
        parts = [int(limit) // _PARTS_OF_LIMIT for limit in limits_bytes if int(limit)]
        most = [max(part, _LIMITED_SEGMENT_BYTES_MIN) for part in parts]
        return min([self._settings.segment_bytes, *most])

    def make_topic(self, info: TopicInfo, first_partition: int) -> list[Opened]:
        """Create the logs of a topic's partitions; blocks, and touches nothing shared.

        Raises LogRefused, CorruptLog (of what a crash has left there), OSError.
        """
        made: list[Opened] = []
        try:
            numbers = range(first_partition, info.partitions)
            made.extend(self._make_partition(info, partition) for partition in numbers)
        except BaseException:
            self.discard(made)
            raise
        return made

    def _make_partition(self, info: TopicInfo, partition: int) -> Opened:
        # The catalog may have forgotten a partition, of which records are left: they stay, so a
        # producer that sends them again must be known, and none that groups have handled may miss.
        producers = Producers()
        groups = self.open_groups(info, partition, clean=None, must_exist=False)
        try:
            data = self.open_data(
                info,
                partition,
                observer=ProducersObserver(producers),
                clean=None,
                durable_floor=proven_durable(groups),
                must_exist=False,
            )
        except BaseException:
            groups.close(clean=False, now_us=self._world.clock.wall_us())
            raise
        return Opened(data, groups, producers)

    def discard(self, opened: list[Opened]) -> None:
        """Close logs that were made in vain."""
        now_us = self._world.clock.wall_us()
        for data, groups, _ in opened:
            data.close(clean=False, now_us=now_us)
            groups.close(clean=False, now_us=now_us)

    def remove_topic(self, name: str, topic_id: int) -> None:
        """Remove a topic's files; blocks."""
        self._directory.remove_topic(name, topic_id)
        # Not before: somebody may have been reading until the files were gone.
        self._cache.forget_directory(self._directory.topic_path(name, topic_id))


def proven_durable(groups: StateLog) -> int:
    """Up to where its positions prove that the records of the partition were on disk."""
    try:
        return durable_floor(groups.entries)
    except BadEntry:
        return 0
