"""From a data directory to an engine that knows all that it holds."""

import logging
from collections.abc import Collection
from threading import Lock

from tapemq.batch import LogId
from tapemq.wire.limits import PARTITIONS_MAX
from tapemq_broker.config import Settings
from tapemq_broker.core.broker import Broker, Limits
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.server.counters import Counters
from tapemq_broker.server.log_store import proven_durable
from tapemq_broker.server.logs import Logs
from tapemq_broker.server.measuring import measure
from tapemq_broker.server.observer import ProducersObserver
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.side_by_side import side_by_side
from tapemq_broker.server.world import World
from tapemq_broker.storage.boot_epoch import look_at_boot_epoch, note_boot_epoch
from tapemq_broker.storage.clean import CleanEntry, remove_clean, write_clean
from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.errors import (
    CorruptLog,
    DataDirectoryError,
    LogFull,
    LogRefused,
    not_understood,
)
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.refusal import is_full
from tapemq_broker.storage.state_log import StateLog

log = logging.getLogger("tapemq.broker")

_BOOT_KEY = b"boot"
_BOOT_EPOCH_MAX = 2**32 - 1
"""Ids of producers begin with it."""

CleanEntries = dict[LogId, CleanEntry]

Place = tuple[Topic, int]
"""A topic, and the number of one of its partitions."""


class Startup:
    """Opens the catalog, then every partition. A damaged partition is refused, others start.

    It may run in a thread, as long as nothing else touches what it was given. Some partitions are
    opened at a time: after a crash, most of that is waiting for syncs.
    """

    def __init__(
        self,
        world: World,
        settings: Settings,
        logs: Logs,
        clean: CleanEntries,
        counters: Counters,
        progress: RecoveryProgress,
    ) -> None:
        self._counters = counters
        self._world = world
        self._settings = settings
        self._logs = logs
        self._clean = clean
        self._progress = progress
        self._lock = Lock()
        """Held by threads that open partitions, to add to what these share."""

    def load(self) -> tuple[Broker, int]:
        """The core with all topics and groups, and the boot epoch.

        The boot epoch is not durable in the catalog yet. Raises LogRefused, and DataDirectoryError
        if the disk is full.
        """
        catalog = self._logs.store.open_catalog(self._clean.get(CATALOG))
        self._logs.add_state(catalog)
        self.note_opened(catalog.log)
        # Up to here nothing was written that the note is about, and from here on to the catalog
        # alone: if this start is killed, the next one has the same to go by.
        keep_notes(self._world.disk, [self._clean[at] for at in self._clean if at != CATALOG])
        boot_epoch = self._next_boot_epoch(catalog)
        core = Broker(boot_epoch, limits_of(self._settings))
        topics = core.topics.load(catalog.entries)
        for name, reason in core.topics.refused.items():
            refused = _senseless(catalog, reason)
            log.error("topic %s is refused: %s", name, self._logs.store.told(refused))
        places = [(topic, number) for topic in topics for number in range(topic.info.partitions)]
        self._progress.partitions = len(places)
        opened = side_by_side(self._open_partition, places, self._world.recovery_threads)
        for (topic, number), groups in zip(places, opened, strict=True):
            if groups is not None:
                self._take_groups(core, topic, number, groups)
            self._progress.partitions_read += 1
        return core, boot_epoch

    def _next_boot_epoch(self, catalog: StateLog) -> int:
        """The number of this start. Ids of producers and generations build on it, so no start may
        serve with one that is not on disk: the next one would give the same again.

        The catalog may have forgotten the last ones, in a repair or because it is an older copy.
        """
        noted = look_at_boot_epoch(self._world.disk)
        if noted.complaint:
            log.warning("%s; what the catalog says counts", noted.complaint)
        known = int.from_bytes(catalog.entries.get(_BOOT_KEY, b""), "big")
        boot_epoch = max(known, noted.boot_epoch) + 1
        if boot_epoch > _BOOT_EPOCH_MAX:
            raise _senseless(catalog, f"start number {boot_epoch}")
        entry = {_BOOT_KEY: boot_epoch.to_bytes(8, "big")}
        try:
            catalog.put(entry, self._world.clock.wall_us())
        except LogFull as full:
            raise DataDirectoryError(
                f"its disk is full, {self._world.disk.free_bytes()} bytes are free, so the start "
                f"cannot be noted in the catalog ({full}). Nothing is lost: free some space (other "
                "files on that disk, or *.torn-* files that nobody needs), then start again"
            ) from full
        self._note_beside_catalog(boot_epoch)
        return boot_epoch

    def _note_beside_catalog(self, boot_epoch: int) -> None:
        try:
            note_boot_epoch(self._world.disk, boot_epoch)
        except OSError as error:
            if not is_full(error):
                raise
            log.warning("start %d is noted in the catalog only: %s", boot_epoch, error)

    def _open_partition(self, place: Place) -> StateLog | None:
        """Take the logs of a partition into use; returns that of its groups. In any thread.

        What is wrong with groups is theirs alone: publishing, and reading without one, go on.
        """
        topic, number = place
        groups = self._open_groups(topic, number)
        partition = topic.partitions[number]
        try:
            data = self._logs.store.open_data(
                topic.info,
                number,
                observer=ProducersObserver(partition.producers),
                clean=self._clean.get(partition.log),
                durable_floor=proven_durable(groups) if groups else 0,
                must_exist=True,
            )
        except (LogRefused, CorruptLog) as refused:
            self._refuse(topic, f"partition {number} is refused", refused)
            partition.damage = str(refused)
            return groups
        with self._lock:
            self._logs.add_data(data)
            self.note_opened(data)
        partition.opened(data.first_offset, data.next_offset, data.durable_offset)
        measure(partition, topic.info.settings, data)
        return groups

    def _open_groups(self, topic: Topic, number: int) -> StateLog | None:
        log_id = topic.partitions[number].groups_log
        try:
            groups = self._logs.store.open_groups(
                topic.info, number, clean=self._clean.get(log_id), must_exist=True
            )
        except (LogRefused, CorruptLog) as refused:
            self._refuse_groups(topic, number, refused)
            return None
        with self._lock:
            self._logs.add_state(groups)
        return groups

    def _take_groups(self, core: Broker, topic: Topic, number: int, groups: StateLog) -> None:
        """Give the core what the log says, partition by partition in order: of those that
        contradict each other, it is always the same one that counts."""
        try:
            core.load_groups(topic.info.topic_id, number, groups.entries)
        except BadEntry as error:
            self._logs.give_up_state(groups)
            self._refuse_groups(topic, number, _senseless(groups, str(error)))
        else:
            with self._lock:
                self.note_opened(groups.log)

    def _refuse_groups(self, topic: Topic, number: int, refused: LogRefused | CorruptLog) -> None:
        self._refuse(topic, f"the groups of partition {number} are refused", refused)
        topic.partitions[number].own_groups_damage = f"groups cannot be used here: {refused}"

    def _refuse(self, topic: Topic, what: str, refused: LogRefused | CorruptLog) -> None:
        log.error("topic %s: %s: %s", topic.info.name, what, self._logs.store.told(refused))

    def note_opened(self, opened: Log) -> None:
        """Count how the log was found, and what recovery had to write again. Say, too, what it
        has set aside: bytes without a durable receipt.
        """
        recovered, rows = opened.recovered, self._counters.logs_opened
        rows[recovered.row.name] = rows.get(recovered.row.name, 0) + 1
        self._counters.bytes_rewritten_at_start += recovered.rewritten_bytes
        for path, size_bytes in recovered.cut:
            self._counters.bytes_cut_at_start += size_bytes
            log.warning(
                "%s: a tail of %d bytes that was never acknowledged was cut off and set aside as "
                "%s (offsets from %d on)",
                opened.directory,
                size_bytes,
                path,
                recovered.cut_from,
            )


def _senseless(state: StateLog, reason: str) -> LogRefused:
    end = state.log.next_offset
    return not_understood(state.log.directory, 0, state.log.first_offset, end, reason)


def limits_of(settings: Settings) -> Limits:
    """The core's limits out of the broker's settings."""
    return Limits(
        batch_bytes=settings.batch_bytes_max,
        record_bytes=settings.record_bytes_max,
        topics=settings.topics_max,
        partitions=PARTITIONS_MAX,
        partitions_total=settings.partitions_max,
        groups=settings.groups_max,
        revoke_deadline_s=settings.revoke_deadline_s,
    )


def keep_notes(disk: Disk, entries: Collection[CleanEntry]) -> None:
    """Have what the last clean stop noted of these logs, which are as it left them, count for the
    next start, and nothing else. Raises OSError."""
    try:
        if entries:
            write_clean(disk, entries)
            return
    except OSError as error:
        if not is_full(error):
            raise
        log.warning("what the last clean stop noted cannot be kept: %s", error)
    remove_clean(disk)
