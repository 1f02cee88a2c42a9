"""Batches of a lane say whether their records may expire."""

import pytest

from tapemq.batch import Codec, encode_extras
from tapemq.batch.expiry import decode_ttls, may_expire
from tapemq.publishing.item import Item
from tapemq.publishing.lane import Lane, LaneOptions, SentBatch


def take(target: Lane) -> SentBatch:
    assert target.next_bytes(0.0) is not None
    return target.take(time_us=9)


def body(sent: SentBatch) -> bytes:
    return b"".join(sent.parts)


@pytest.mark.parametrize("codec", list(Codec)[:2])
def test_a_batch_says_that_records_may_expire_also_when_it_is_numbered_anew(codec: Codec) -> None:
    target = Lane(3, 77, 0, LaneOptions(1000, codec=codec))
    target.add(Item(b"a", None, encode_extras(None, {"ttl_us": 9}), True), 0, 0.0)
    sent = take(target)
    assert may_expire(body(sent))
    target.refused(sent, 9)
    target.lose_place(9)
    again = take(target)
    assert again is sent
    assert may_expire(body(again))
    assert list(decode_ttls(body(again))) == [9]
    target.confirmed(again, 9)
    target.add(Item(b"b", None, b""), 0, 0.0)
    assert not may_expire(body(take(target)))
