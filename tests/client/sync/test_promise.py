import threading

import pytest

from tapemq.sync.promise import Changes, Promise


def test_result_is_set_once_and_seen_by_all() -> None:
    promise: Promise[int] = Promise()
    assert not promise.wait(0.0)
    seen: list[int] = []

    def wait() -> None:
        promise.wait(30.0)
        seen.append(promise.result())

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    promise.resolve(1)
    promise.resolve(2)
    promise.reject(ValueError("late"))
    for thread in threads:
        thread.join()
    assert seen == [1, 1, 1]
    assert promise.wait(0.0)


def test_error_is_raised() -> None:
    promise: Promise[int] = Promise()
    promise.settle(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        promise.result()


def test_waiting_for_ages_is_allowed() -> None:
    promise: Promise[int] = Promise()
    promise.settle(7)
    assert promise.wait(1e12)
    assert promise.result() == 7


def test_change_wakes_those_that_wait_for_the_next_one() -> None:
    changes = Changes()
    changes.happened()
    first, second = changes.next(), changes.next()
    assert [first.done, second.done] == [False, False]
    changes.happened()
    assert [first.done, second.done] == [True, True]
    assert not changes.next().done
