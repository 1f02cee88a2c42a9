"""A client that was written from protocol.md alone, against the real broker."""

import asyncio
import zlib
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest

from tests.support.running_server import running_server
from tests.support.tiny_client import (
    PUBLISH,
    TOPIC,
    Record,
    Refused,
    TinyClient,
    pack_body,
)

CREATE_TOPIC = 0x10
CREDIT = {"credit_records": 1000, "credit_bytes": 1_000_000}
ROWS: list[tuple[bytes | None, bytes | None]] = [
    (b"eu.42", b'{"total": 7}'),
    (b"eu.42", None),
    (None, b""),
]
Connect = Callable[[], TinyClient]


async def served(session: Callable[[Connect], None]) -> None:
    """Run a blocking session against a broker."""

    def run(port: int) -> None:
        with ExitStack() as stack:
            session(lambda: stack.enter_context(closing(TinyClient("127.0.0.1", port))))

    async with running_server() as server:
        await asyncio.to_thread(run, server.port)


def take(client: TinyClient, count: int) -> list[Record]:
    """The next records of all subscriptions."""
    records = client.read()
    return [next(records) for _ in range(count)]


def publish_and_read(connect: Connect) -> None:
    client = connect()
    topic_id = client.topic("orders")["topic_id"]
    body = pack_body(ROWS, client.open_producer(), 0)
    first = client.publish(topic_id, 0, body)
    assert (first["base_offset"], first["duplicate"], first["level"]) == (0, False, 0)
    again = client.publish(topic_id, 0, body)
    assert (again["base_offset"], again["duplicate"], again["level"]) == (0, True, 0)

    client.subscribe(1, topic_id, group="billing", start="earliest", member="one", **CREDIT)
    records = take(client, 3)
    assert [(r.partition, r.offset, r.key, r.value) for r in records] == [
        (0, 0, b"eu.42", b'{"total": 7}'),
        (0, 1, b"eu.42", None),
        (0, 2, None, b""),
    ]
    client.commit(topic_id, "billing", records[1], 1)

    client = connect()
    retried = client.publish(topic_id, 0, body)
    assert (retried["base_offset"], retried["duplicate"]) == (0, True)
    client.subscribe(7, topic_id, group="billing", start="earliest", member="one", **CREDIT)
    assert [record.offset for record in take(client, 1)] == [2]


async def test_publishes_retries_reads_and_commits() -> None:
    await served(publish_and_read)


def retry_after_a_lost_receipt(connect: Connect) -> None:
    client = connect()
    topic_id = client.topic("orders")["topic_id"]
    producer = client.open_producer()
    body = pack_body(ROWS, producer, 0)
    fields = {"topic_id": topic_id, "partition": 0, "checksum": zlib.crc32(body)}
    client.send(PUBLISH, fields, 99, body)  # and never look at the receipt

    client = connect()
    assert client.topic("orders")["topic_id"] == topic_id
    assert client.publish(topic_id, 0, body)["base_offset"] == 0
    behind = client.publish(topic_id, 0, pack_body(ROWS, producer, len(ROWS)))
    assert (behind["base_offset"], behind["duplicate"]) == (len(ROWS), False)


async def test_batch_whose_receipt_was_lost_is_stored_once() -> None:
    await served(retry_after_a_lost_receipt)


def read_on_little_credit(connect: Connect) -> None:
    client = connect()
    topic_id = client.topic("orders")["topic_id"]
    producer = client.open_producer()
    for number in range(20):
        client.publish(topic_id, 0, pack_body([(None, b"%d" % number)], producer, number))
    client.subscribe(1, topic_id, start="earliest", credit_records=1, credit_bytes=1)
    records = take(client, 20)
    assert [record.value for record in records] == [b"%d" % number for number in range(20)]


async def test_goes_on_with_the_credit_that_it_grants() -> None:
    await served(read_on_little_credit)


def be_refused(connect: Connect) -> None:
    client = connect()
    topic_id = client.topic("orders")["topic_id"]
    producer = client.open_producer()
    client.publish(topic_id, 0, pack_body(ROWS, producer, 0))
    refusals = [
        (topic_id, 0, pack_body(ROWS, producer, 9), 32),  # out_of_order
        (topic_id, 0, pack_body(ROWS, producer, 1), 9),  # bad_request: other boundaries
        (topic_id, 0, pack_body(ROWS, (producer[0] + 5, 0), 1), 34),  # unknown_producer
        (topic_id, 0, pack_body(ROWS, producer, 3)[:-1], 30),  # bad_batch
        (topic_id, 1, pack_body(ROWS, producer, 0), 24),  # unknown_partition
        (topic_id + 1, 0, pack_body(ROWS, producer, 0), 22),  # stale_metadata
    ]
    for where, partition, body, code in refusals:
        with pytest.raises(Refused) as caught:
            client.publish(where, partition, body)
        assert caught.value.code == code
    # A higher epoch begins at sequence 0 and fences the one before.
    client.publish(topic_id, 0, pack_body(ROWS, (producer[0], 1), 0))
    with pytest.raises(Refused) as caught:
        client.publish(topic_id, 0, pack_body(ROWS, producer, 3))
    assert caught.value.code == 33


async def test_session_goes_on_after_refusals() -> None:
    await served(be_refused)


def share_a_topic(connect: Connect) -> None:
    one, two = connect(), connect()
    topic_id = one.request(CREATE_TOPIC, TOPIC, {"topic": "orders", "partitions": 2})["topic_id"]
    one.subscribe(1, topic_id, group="billing", start="earliest", member="one", **CREDIT)
    for partition in (0, 1):
        one.publish(topic_id, partition, pack_body([(None, b"a")], (0, 0), 0))
    before = sorted(take(one, 2))
    assert [record.partition for record in before] == [0, 1]
    one.commit(topic_id, "billing", before[0], 1)
    one.commit(topic_id, "billing", before[1], 1)

    two.subscribe(1, topic_id, group="billing", start="earliest", member="two", **CREDIT)
    for partition in (0, 1):
        two.publish(topic_id, partition, pack_body([(None, b"b")], (0, 0), 0))
    (mine,) = take(one, 1)  # releases the other partition on the way
    (theirs,) = take(two, 1)
    assert {mine.partition, theirs.partition} == {0, 1}
    assert (mine.offset, mine.value) == (theirs.offset, theirs.value) == (1, b"b")
    two.commit(topic_id, "billing", theirs, 1)
    with pytest.raises(Refused) as caught:
        one.commit(topic_id, "billing", theirs, 1)
    assert caught.value.code == 33  # fenced: its generation is over


async def test_two_members_share_the_partitions() -> None:
    await served(share_a_topic)
