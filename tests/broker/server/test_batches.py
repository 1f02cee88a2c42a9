"""What a read has brought, by offset."""

import pytest

from tapemq.batch import Codec
from tapemq_broker.server import batches as server_batches
from tapemq_broker.server.batches import Batch, Batches
from tests.support.chunks import batch, chunk, numbered, offsets


def test_batch_of_an_offset_is_found_and_marks_are_passed_over() -> None:
    data = (numbered(10, 5), batch(15, []), numbered(15, 1), numbered(20, 3))
    batches = Batches(10, chunk(*data, next_offset=25))
    found = {offset: batches.find(offset) for offset in range(10, 25)}
    bases = [batch.base_offset if batch else None for batch in found.values()]
    assert bases == [10] * 5 + [15] + [20] * 7 + [None] * 2
    assert (batches.first, batches.next_offset) == (10, 25)


def test_nothing_is_found_where_there_is_nothing() -> None:
    batches = Batches(10, chunk(next_offset=30))
    assert batches.find(10) is None
    assert batches.size_bytes > 0


def test_a_read_from_inside_a_batch_brings_all_of_it() -> None:
    assert Batches(12, chunk(numbered(10, 5), next_offset=15)).first == 10
    assert Batches(12, chunk(numbered(14, 5), next_offset=19)).first == 12


def test_records_are_cut_by_their_offsets() -> None:
    batches = Batches(10, chunk(numbered(10, 5), numbered(15, 5, time_us=9), next_offset=20))
    found = batches.find(17)
    assert found is not None
    assert (found.base_offset, found.next_offset, found.append_time_us) == (15, 20, 9)
    assert offsets(b"".join(found.cut(16, 18))) == [16, 17]
    assert offsets(b"".join(found.cut(19, 20))) == [19]
    assert offsets(batches.data[found.start : found.stop]) == [15, 16, 17, 18, 19]


def test_compressed_batches_are_told() -> None:
    data = memoryview(batch(0, [b"a"]) + batch(1, [b"b"], codec=Codec.ZLIB))
    plain = Batch(data, 0)
    packed = Batch(data, plain.stop)
    assert (plain.is_compressed, packed.is_compressed) == (False, True)
    assert plain.size_bytes + packed.size_bytes == len(data)


def test_times_to_live_are_told() -> None:
    data = memoryview(batch(0, [b"a", b"b"], ttls_us=[5, 0]) + batch(2, [b"c"]))
    mortal = Batch(data, 0)
    plain = Batch(data, mortal.stop)
    assert (mortal.may_expire, plain.may_expire) == (True, False)
    assert list(mortal.ttls) == [5, 0]


def test_what_takes_long_to_inflate_is_heavy_only_if_it_may_expire() -> None:
    large = [bytes(300_000)]
    mortal = chunk(batch(0, large, codec=Codec.ZLIB, ttls_us=[5]), next_offset=1)
    plain = chunk(batch(0, large, codec=Codec.ZLIB), next_offset=1)
    assert (Batches(0, mortal).is_heavy, Batches(0, plain).is_heavy) == (True, False)


def test_times_to_live_can_be_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = Batches(0, chunk(batch(0, [b"a"], ttls_us=[5]), batch(1, [b"b"]), next_offset=2))
    batches.find_ttls()
    monkeypatch.setattr(server_batches, "decode_ttls", None)
    found = batches.find(0)
    assert found is not None
    assert list(found.ttls) == [5]
