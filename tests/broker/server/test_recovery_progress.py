from tapemq_broker.server.recovery_progress import RecoveryProgress


def test_it_says_how_many_partitions_are_read_as_soon_as_it_knows_of_any() -> None:
    progress = RecoveryProgress()
    assert str(progress) == "the broker is reading its data directory"
    progress.partitions = 0
    assert str(progress) == "the broker is reading its data directory: 0 of 0 partitions"
    progress.partitions, progress.partitions_read = 12, 5
    assert str(progress) == "the broker is reading its data directory: 5 of 12 partitions"
