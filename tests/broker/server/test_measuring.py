"""What the core is told of a log's size."""

from typing import Any

import pytest

from tapemq_broker.core.partition import Partition
from tapemq_broker.server.measuring import measure
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.logs import DIRECTORY, LOG_ID, batch_of, sync


@pytest.fixture
def log() -> Log:
    disk = MemoryDisk()
    log = Log.open(disk, DIRECTORY, LOG_ID, now_us=1)
    for _ in range(5):
        log.append(batch_of(b"a", b"b"), 1)
    sync(log, disk)
    return log


def measured(log: Log, settings: dict[str, Any]) -> Partition:
    partition = Partition(1, 0)
    measure(partition, settings, log)
    return partition


def test_only_a_limit_in_bytes_asks_for_it(log: Log) -> None:
    assert measured(log, {}).sizes is None
    assert measured(log, {"max_records": 5}).sizes is None
    assert measured(log, {"max_bytes": 0}).sizes is None


def test_what_is_there_counts(log: Log) -> None:
    sizes = measured(log, {"max_bytes": log.size_bytes}).sizes
    assert sizes is not None
    assert sizes.bytes_from(0) == log.size_bytes
    assert sizes.bytes_from(5) == log.size_bytes // 2


def test_the_same_limit_is_not_measured_again(log: Log) -> None:
    partition = measured(log, {"max_bytes": 1000})
    sizes = partition.sizes
    measure(partition, {"max_bytes": 1000, "ttl_s": 1}, log)
    assert partition.sizes is sizes
    measure(partition, {"max_bytes": 1001}, log)
    assert partition.sizes is not sizes
    measure(partition, {"max_bytes": 0}, log)
    assert partition.sizes is None
