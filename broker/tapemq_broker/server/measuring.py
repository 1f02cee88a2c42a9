"""How the core learns how large a partition is that a limit in bytes is set on."""

from tapemq_broker.core.length import LengthLimit
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.results import TopicSettings
from tapemq_broker.core.sizes import Sizes
from tapemq_broker.storage.log import Log

_COVERED = 2
"""How much of the log is measured, in limits: who has more than one before it is too far behind."""


def measure(partition: Partition, settings: TopicSettings, data: Log, *, wait: bool = True) -> None:
    """Look how large a log is, if that matters; without ``wait`` full segments only as a whole.

    Raises OSError if the disk fails.
    """
    limit = LengthLimit.of(settings)
    if limit is None or not limit.max_bytes:
        partition.sizes = None
    elif partition.sizes is None or partition.sizes.limit_bytes != limit.max_bytes:
        landmarks = data.landmarks(_COVERED * limit.max_bytes, wait=wait)
        partition.sizes = Sizes(limit.max_bytes, landmarks)
