from tapemq.queues.infos import QueueInfo, QueuePartition


def partition(number: int) -> QueuePartition:
    return QueuePartition(number, 0, 0, 0, 1, 2, 3, 4, 0, 0, None, 0, 0, 0, 0, 0, 0)


def test_counts_of_all_partitions() -> None:
    info = QueueInfo("t", "g", {}, 0, (partition(0), partition(1)))
    assert (info.ready, info.leased, info.retrying, info.dead) == (2, 4, 6, 8)
