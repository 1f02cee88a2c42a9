"""How a queue without asyncio is stopped by a signal, and entered again."""

import signal
from typing import Any

import pytest

import tapemq
from tests.support.blocking_queueing import QueueWorld, work

ALL = list(range(10))


@pytest.mark.parametrize("there_is_more", [True, False])
def test_a_signal_handler_may_stop_it_whatever_is_being_done(
    world: QueueWorld, monkeypatch: pytest.MonkeyPatch, there_is_more: bool
) -> None:
    seen: list[int] = []
    with world.queue() as queue:
        next_hand = queue._intake.next_hand

        def interrupted() -> Any:
            hand = next_hand()
            if len(seen) == (3 if there_is_more else 10) and (hand is not None) == there_is_more:
                signal.raise_signal(signal.SIGUSR1)
            return hand

        monkeypatch.setattr(queue._intake, "next_hand", interrupted)
        before = signal.signal(signal.SIGUSR1, lambda *_: queue.stop())
        try:
            for message in queue:
                seen.append(message.offset)
                message.ack()
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert len(seen) in ((3, 4) if there_is_more else (10,))
    assert world.said("ack") == seen


def test_queue_can_be_entered_again(world: QueueWorld) -> None:
    queue = world.queue()
    with queue:
        assert work(queue, 4) == ALL[:4]
    with queue:
        assert work(queue, 6) == ALL[4:]
    assert world.said("ack") == ALL


def test_damaged_data_is_given_back(world: QueueWorld) -> None:
    stored = world.topic.partitions[0].batches[1]
    sound, stored.data = stored.data, stored.data[:-1] + b"!"
    with world.queue() as queue:
        with pytest.raises(tapemq.CorruptBatch, match="t: "):
            work(queue, 10)
        stored.data = sound
        world.settled(6)
        assert world.said("release") == ALL[3:6]
        assert sorted(work(queue, 7)) == ALL[3:]
