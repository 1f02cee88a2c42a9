from typing import Any

import pytest

import tapemq
from tapemq import sync
from tapemq.wire import errors as wire
from tapemq.wire import messages as m
from tests.support.blocking import BrokerThread, in_thread, interrupted_when, outcome
from tests.support.fake_broker import Reaction
from tests.support.sdk import SENT_BY_THEN_S

TOO_LITTLE_S = 0.05


def test_receipt_says_where_the_record_is(thread: BrokerThread, client: sync.Client) -> None:
    first = client.publish("t", "a")
    second = client.publish("t", b"b", key="k", headers={"h": 1}, durability="written")
    assert first[:5] == ("t", 0, 0, False, "durable")
    assert second[:5] == ("t", 0, 1, False, "written")
    assert [publish.level for publish in thread.received(m.Publish)] == [0, 1]


def test_threads_share_batches(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.OpenProducer, Reaction.HOLD)
    waiting = [in_thread(client.publish, "t", b"%d" % number) for number in range(20)]
    thread.received(m.OpenProducer)
    while len(client._publishers.of("t").awaited()) < 20:
        pass  # they are on their way
    thread.release()
    assert sorted(outcome(receipt).offset for receipt in waiting) == list(range(20))
    assert len(thread.received(m.Publish)) == 1


def test_lost_receipt_is_a_duplicate_with_the_original_offset(
    thread: BrokerThread, client: sync.Client
) -> None:
    client.publish("t", b"0")
    thread.react(m.Publish, Reaction.LOSE)
    receipt = client.publish("t", b"1")
    assert (receipt.offset, receipt.duplicate) == (1, True)
    assert thread.stored() == [b"0", b"1"]


def test_opening_survives_losses(thread: BrokerThread, client: sync.Client) -> None:
    thread.react(m.OpenProducer, Reaction.CUT, Reaction.LOSE)
    thread.react(m.DescribeTopic, Reaction.LOSE)
    assert client.publish("t", b"0").offset == 0


def test_partition_that_is_no_integer_harms_no_other_record(
    thread: BrokerThread, client: sync.Client
) -> None:
    wrong: Any = 0.0
    for offset in (0, 1):
        with pytest.raises(TypeError):
            client.publish("t", b"?", partition=wrong)
        assert client.publish("t", b"0", partition=False).offset == offset


def test_record_that_was_sent_in_vain_is_indeterminate(
    thread: BrokerThread, client: sync.Client
) -> None:
    thread.react(m.Publish, Reaction.IGNORE)
    with pytest.raises(tapemq.IndeterminateError, match=r"0\.5 s"):
        client.publish("t", b"0", timeout=SENT_BY_THEN_S)


def test_record_that_was_not_sent_never_will_be(thread: BrokerThread, client: sync.Client) -> None:
    client.publish("t", b"0")
    thread.call(thread.broker.flow, 0, "disk low")
    client.topics()  # behind it
    with pytest.raises(tapemq.TimeoutError, match="disk low"):
        client.publish("t", b"1", timeout=TOO_LITTLE_S)
    thread.call(thread.broker.flow, 1 << 20)
    assert client.publish("t", b"2").offset == 1
    assert thread.stored() == [b"0", b"2"]


def test_refusal_is_raised_and_the_next_call_starts_anew(
    thread: BrokerThread, client: sync.Client
) -> None:
    thread.react(m.Publish, m.Failure(wire.STORAGE_FAILED.code, "damaged"))
    with pytest.raises(tapemq.StorageFailed, match="damaged"):
        client.publish("t", b"0")
    assert client.publish("t", b"1").offset == 0
    with pytest.raises(tapemq.PartitionNotFound):
        client.publish("t", b"1", partition=7)
    with pytest.raises(ValueError, match="topic"):
        client.publish("no such name", b"1")


@pytest.mark.usefixtures("interruptible")
def test_interrupt_while_waiting_leaves_the_client_as_it_is(
    thread: BrokerThread, client: sync.Client
) -> None:
    client.publish("t", b"0")
    thread.call(thread.broker.flow, 0, "disk low")
    client.topics()

    def is_awaited() -> bool:
        with client._shared.lock:
            return bool(client._publishers.of("t").awaited())

    with interrupted_when(is_awaited), pytest.raises(KeyboardInterrupt):
        client.publish("t", b"1")
    thread.call(thread.broker.flow, 1 << 20)
    assert client.publish("t", b"2").offset == 1
    assert thread.stored() == [b"0", b"2"]
