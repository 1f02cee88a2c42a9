from threading import Barrier

import pytest

from tapemq_broker.server.side_by_side import side_by_side


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_everything_is_made_in_order(threads: int) -> None:
    assert list(side_by_side(str, range(20), threads)) == [str(number) for number in range(20)]


def test_so_many_are_made_at_a_time() -> None:
    together = Barrier(3)  # nobody passes alone
    assert sorted(side_by_side(lambda _: together.wait(5), range(3), 3)) == [0, 1, 2]


def test_once_it_fails_for_one_no_other_is_begun() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        raise OSError("the first one")

    with pytest.raises(OSError, match="the first one"):
        list(side_by_side(work, range(100), 1))
    assert begun == [0]
