import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import Columns, decode_columns, encode_body
from tapemq.publishing.item import RECORD_COST_BYTES, Item
from tapemq.publishing.open_batch import OpenBatch
from tapemq.wire import messages as m


class Waiting:
    def __init__(self) -> None:
        self.batch: OpenBatch | None = None
        self.offset: int | None = None
        self.error: Exception | None = None

    def settle(self, partition: int, offset: int, receipt: m.Receipt) -> None:
        self.offset = offset

    def fail(self, error: Exception) -> None:
        self.error = error


def batch(size_bytes: int = 10_000) -> OpenBatch:
    return OpenBatch(size_bytes, level=0, started_at=5.0, linger_s=0.5)


ITEMS = st.builds(
    Item,
    st.none() | st.binary(max_size=5),
    st.none() | st.binary(max_size=5),
    st.sampled_from([b"", b"\x92\x81\xa1a\x01\x80"]),
    st.just(False),
    st.just(0),
)


@given(st.lists(ITEMS, min_size=1, max_size=20))
def test_columns_hold_what_was_added(items: list[Item]) -> None:
    open_batch = batch()
    for item in items:
        open_batch.add(item)
    columns = decode_columns(encode_body(open_batch.seal()))
    keys = columns.keys or [None] * len(items)
    extras = columns.extras or [b""] * len(items)
    assert [Item(*row) for row in zip(columns.values, keys, extras, strict=True)] == items


def test_plain_records_have_one_column() -> None:
    open_batch = batch()
    open_batch.values.append(b"a")
    open_batch.add(Item(b"b", None, b""))
    assert open_batch.seal() == Columns([b"a", b"b"], None, None)


def test_room_shrinks_by_the_cost() -> None:
    open_batch = batch(1000)
    open_batch.add(Item(b"12345", b"123", b""))
    assert open_batch.room == 1000 - 8 - RECORD_COST_BYTES


@given(st.lists(ITEMS, min_size=1, max_size=20))
def test_size_is_never_below_what_is_sent(items: list[Item]) -> None:
    open_batch = batch()
    for item in items:
        open_batch.add(item)
    size_bytes = open_batch.size_bytes
    open_batch.close()
    assert open_batch.size_bytes == size_bytes
    assert len(encode_body(open_batch.seal())) <= size_bytes


def test_sealed_batch_has_no_room() -> None:
    open_batch = batch()
    open_batch.add(Item(b"", None, b""))
    open_batch.seal()
    assert open_batch.sealed
    assert open_batch.room == 0


@pytest.mark.parametrize("more", [False, True])
def test_it_expires_if_one_of_its_records_does(more: bool) -> None:
    open_batch = batch()
    assert not open_batch.expires
    open_batch.add(Item(b"a", None, b"x", False))
    assert not open_batch.expires
    open_batch.add(Item(b"b", None, b"x", True))
    if more:
        open_batch.add(Item(b"c", None, b"x", False))
    assert open_batch.expires


@pytest.mark.parametrize(
    ("spare_bytes", "taken"), [(-1, 1), (0, 1), (1, 2), (30 + RECORD_COST_BYTES, 2), (1000, 3)]
)
def test_as_many_values_are_taken_as_fit(spare_bytes: int, taken: int) -> None:
    """And their bytes are counted: what is too large for a broker would end the producer."""
    values = [b"a" * 10, b"b" * 20, b"c" * 30]
    size_bytes = 30 + 2 * RECORD_COST_BYTES + spare_bytes
    open_batch = batch(size_bytes)
    assert open_batch.extend(values) == taken
    assert open_batch.values == values[:taken]
    used_bytes = sum(map(len, values[:taken])) + taken * RECORD_COST_BYTES
    assert open_batch.room == size_bytes - used_bytes


def test_values_that_are_no_bytes_take_the_long_way() -> None:
    open_batch = batch()
    assert open_batch.extend([b"a", b"b", "c", b"d", None]) == 2
    assert open_batch.extend(["c", b"d"]) == 0
    assert open_batch.extend([bytearray(b"e")]) == 0
    assert open_batch.values == [b"a", b"b"]


@pytest.mark.parametrize("value", ["abc", b"abc"])
def test_one_value_is_not_taken_for_many(value: str | bytes) -> None:
    open_batch = batch()
    with pytest.raises(TypeError, match="use send"):
        open_batch.extend(value)  # type: ignore[arg-type]
    assert open_batch.values == []


def test_discard_takes_a_record_out_of_all_columns() -> None:
    open_batch = batch()
    waiters = [Waiting() for _ in range(4)]
    for number, waiter in enumerate(waiters):
        key = b"k%d" % number if number in (1, 2) else None
        open_batch.add(Item(b"v%d" % number, key, b""), waiter)
    assert waiters[0].batch is open_batch
    open_batch.discard(waiters[1])
    assert open_batch.waiters == [waiters[0], waiters[2], waiters[3]]
    assert open_batch.seal() == Columns([b"v0", b"v2", b"v3"], [None, b"k2", None], None)


def test_discard_beyond_the_end_of_a_column() -> None:
    open_batch = batch()
    waiters = [Waiting(), Waiting()]
    open_batch.add(Item(b"a", b"k", b""), waiters[0])
    open_batch.add(Item(b"b", None, b""), waiters[1])
    open_batch.discard(waiters[1])
    assert open_batch.seal() == Columns([b"a"], [b"k"], None)


MIXED = (Item(b"a", None, b""), Item(b"bb", b"key", b"extras"), Item(None, b"k", b""))


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("index", range(len(MIXED)))
def test_what_is_discarded_counts_no_more(index: int, is_closed: bool) -> None:
    open_batch, without = batch(), batch()
    waiters = [Waiting() for _ in MIXED]
    for number, item in enumerate(MIXED):
        open_batch.add(item, waiters[number])
        if number != index:
            without.add(item)
    if is_closed:
        open_batch.close()
    open_batch.discard(waiters[index])
    assert open_batch.size_bytes == without.size_bytes


def test_split_fills_batches_that_take_no_more() -> None:
    open_batch = batch()
    for value in (b"0", b"1", b"2", b"longer than others"):
        open_batch.add(Item(value, None, b""))
    cost_bytes = Item(b"0", None, b"").cost_bytes
    for full_bytes, values in (
        (2 * cost_bytes, [[b"0"], [b"1"], [b"2"], [b"longer than others"]]),  # one is never full
        (2 * cost_bytes + 1, [[b"0", b"1"], [b"2"], [b"longer than others"]]),
    ):
        parts = list(open_batch.split(full_bytes))
        assert [part.values for part in parts] == values
        assert [part.room for part in parts] == [0] * len(parts)


def test_failure_reaches_all_waiters() -> None:
    open_batch = batch()
    waiters = [Waiting(), Waiting()]
    for waiter in waiters:
        open_batch.add(Item(b"", None, b""), waiter)
    error = RuntimeError()
    open_batch.fail(error)
    assert [waiter.error for waiter in waiters] == [error, error]
    assert (open_batch.room, open_batch.sealed) == (0, True)


def test_linger_counts_from_the_first_record() -> None:
    assert batch().leaves_at == pytest.approx(5.5)
