from typing import Any

import pytest

from tests.support.blocking_queueing import QueueWorld, take


def test_success_is_an_ack(world: QueueWorld) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        with message.process() as same:
            assert same is message
            assert not message.settled
        assert message.settled
    assert world.said("ack") == [0]


def test_exception_is_logged_and_a_failure(
    world: QueueWorld, caplog: pytest.LogCaptureFixture
) -> None:
    with world.queue() as queue:
        one, two, three, four = take(queue, 4)
        with one.process():
            raise KeyError("total")
        with pytest.raises(KeyError), two.process(reraise=True):
            raise KeyError
        with three.process(reject_on=KeyError):
            raise KeyError
        with four.process(ignore=KeyError):
            raise KeyError
    assert sorted(world.said("nack")) == [0, 1]
    assert (world.said("reject"), world.said("ack")) == ([2], [3])
    assert "offset=0" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_more_than_the_block_gives_the_message_back(
    world: QueueWorld, error: type[BaseException]
) -> None:
    def run() -> None:
        with world.queue() as queue:
            for message in queue:
                with message.process(reject_on=Exception, ignore=Exception):
                    raise error

    with pytest.raises(error):
        run()
    assert world.said("release") == [0]
    assert set(world.said("left")) >= set(range(1, 10))
    assert world.said("ack") == world.said("nack") == []


def test_what_was_settled_in_the_block_stays_so(world: QueueWorld) -> None:
    with world.queue() as queue:
        one, two = take(queue, 2)
        with one.process():
            one.reject()
        with two.process():
            two.ack()
            raise KeyError
        assert queue.lost == 0
    assert (world.said("reject"), world.said("ack"), world.said("nack")) == ([0], [1], [])


def test_message_that_was_lost_in_the_block_is_counted(world: QueueWorld) -> None:
    with world.queue() as queue:
        (message,) = take(queue, 1)
        with message.process():
            world.lose()
            assert message.lease_lost
        assert queue.lost == 1
    assert world.said("ack") == []


def test_what_is_no_exception_class_is_refused_before_it_begins(world: QueueWorld) -> None:
    some: Any = [KeyError]
    with world.queue() as queue:
        message = next(iter(queue))
        for options in ({"reject_on": some}, {"ignore": some}):
            with pytest.raises(TypeError, match="a tuple of them"):
                queue.run(print, **options)
            with pytest.raises(TypeError, match="a tuple of them"):
                message.process(**options)
