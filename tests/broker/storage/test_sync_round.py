from collections.abc import Callable
from functools import partial

import pytest

from tapemq_broker.storage.sync_round import SyncRound


def fail() -> None:
    raise OSError("broken")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_is_synced_and_the_last_worker_reports(workers: int) -> None:
    synced: list[int] = []
    results: list[Exception | None] = []
    syncs = [partial(synced.append, number) for number in range(3)]
    work = SyncRound(syncs, workers, results.append)
    for _ in range(workers):
        assert results == []
        work.run()
    assert synced == [0, 1, 2]
    assert results == [None]


def test_failure_ends_the_round_and_waits_for_workers_still_busy() -> None:
    results: list[Exception | None] = []
    synced: list[int] = []
    syncs: list[Callable[[], None]] = [fail, lambda: synced.append(1)]
    work = SyncRound(syncs, 2, results.append)
    work.run()
    assert results == []
    work.run()
    assert synced == []
    assert isinstance(results[0], OSError)


def test_the_first_failure_is_the_one_reported() -> None:
    results: list[Exception | None] = []
    inner: list[SyncRound] = []

    def fail_in_the_middle() -> None:
        # Another worker fails while this one is still at its file.
        inner[0].run()
        raise OSError("second")

    inner.append(SyncRound([fail_in_the_middle, fail], 2, results.append))
    inner[0].run()
    assert [str(error) for error in results] == ["broken"]
