"""Which logs there should be, whether or not anything of them is left."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from tapemq.batch import Role
from tapemq_broker.storage.clean import CleanState
from tapemq_broker.storage.directory import CATALOG_ID, DataDirectory, LogPlace


class KnownLogs(NamedTuple):
    """What the catalog knows: the directories of its topics, and the logs made for them.

    ``deleted``: those of topics that are no more, and whose files the next start removes.
    """

    topics: Collection[str]
    logs: Collection[LogPlace]
    deleted: Collection[str] = ()


def noted_logs(directory: DataDirectory, clean: CleanState) -> Iterator[LogPlace]:
    """The logs that a clean stop noted, without the catalog.

    The note has no names of topics: they are those of other logs of the same topic. So a topic of
    which nothing is left is passed over.
    """
    left = {place.log_id.topic_id: place for place in directory.logs()}
    for log_id in clean.entries:
        other = left.get(log_id.topic_id)
        if other is not None and log_id.role is not Role.CATALOG:
            yield other._replace(
                log_id=log_id, path=directory.log_path(other.topic, log_id, other.namespace)
            )


def is_expected(
    directory: DataDirectory, place: LogPlace, known: KnownLogs, clean: CleanState
) -> bool:
    """Whether the catalog or a clean stop says that the log was made."""
    if place.log_id == CATALOG_ID:
        return directory.has_topics or CATALOG_ID in clean.entries
    return place in known.logs or place in noted_logs(directory, clean)
