"""What the logs of a data directory say, as a start would read it: sound bytes may be nonsense."""

from collections.abc import Collection, Iterator

from tapemq.batch import Kind, Role
from tapemq_broker.cli.offline import sound_entries
from tapemq_broker.config import Settings
from tapemq_broker.core.broker import Broker
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.topics import CATALOG, read_catalog
from tapemq_broker.server.schedules.check import Check
from tapemq_broker.server.schedules.zones import zone
from tapemq_broker.server.startup import limits_of
from tapemq_broker.storage.directory import CATALOG_PATH, DataDirectory, LogPlace
from tapemq_broker.storage.errors import LogRefused, not_understood
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.scan import Batch
from tapemq_broker.storage.stretches import stretches
from tapemq_broker.storage.verify import Problem


def senseless(directory: DataDirectory, damaged: Collection[str]) -> Iterator[Problem]:
    """What a start of this version would not understand, and refuse by its name.

    Logs that are ``damaged`` are left out: what they say is not known. Raises OSError.
    """
    if CATALOG_PATH in damaged:
        return
    entries = sound_entries(LogFiles(directory.disk, CATALOG_PATH, CATALOG))
    for name, reason in read_catalog(entries).refused.items():
        yield _problem(CATALOG_PATH, not_understood(CATALOG_PATH, 0, 0, 0, f"{name}: {reason}"))
    core = Broker(1, limits_of(Settings()))
    partitions = {at.info.topic_id: at.info.partitions for at in core.topics.load(entries)}
    for place in directory.logs():
        count = partitions.get(place.log_id.topic_id, 0)
        if place.log_id.partition < count and place.path not in damaged:
            yield from _of_log(directory, core, place, count)


def _of_log(
    directory: DataDirectory, core: Broker, place: LogPlace, partitions: int
) -> Iterator[Problem]:
    log_id, files = place.log_id, LogFiles(directory.disk, place.path, place.log_id)
    try:
        if log_id.role is Role.GROUPS:
            core.load_groups(log_id.topic_id, log_id.partition, sound_entries(files))
        elif log_id.role is Role.SCHEDULE:
            _check_schedules(files, Check(place.path, partitions, zone))
    except BadEntry as error:
        yield _problem(place.path, not_understood(place.path, 0, 0, 0, str(error)))
    except LogRefused as refused:
        yield _problem(place.path, refused)


def _check_schedules(files: LogFiles, check: Check) -> None:
    def take(_: int, batch: Batch) -> None:
        if batch.header.kind is Kind.SCHEDULE:
            check.entries(batch.header, batch.body)

    for _ in stretches(files, take):
        pass


def _problem(log: str, refused: LogRefused) -> Problem:
    return Problem(
        log,
        refused.segment,
        refused.position,
        refused.from_offset,
        refused.to_offset,
        refused.reason,
        refused.advice,
    )
