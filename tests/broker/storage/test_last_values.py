import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapemq.batch import (
    BatchError,
    Columns,
    Header,
    HeaderFlag,
    Kind,
    LogId,
    Role,
    checksum,
    encode_body,
)
from tapemq_broker.storage.last_values import (
    PART_BYTES,
    Changes,
    LastValues,
    Part,
    encode_changes,
    encode_parts,
)

LOG_ID = LogId(1, 0, Role.GROUPS)


class History:
    """Batches as a log would hold them."""

    def __init__(self) -> None:
        self.batches: list[tuple[Header, bytes]] = []
        self.next_offset = 0

    def add(self, part: Part, kind: Kind = Kind.GROUP) -> None:
        header = Header(
            kind,
            part.flags,
            LOG_ID,
            0,
            part.record_count,
            self.next_offset,
            len(self.batches),
            0,
            0,
            0,
            0,
            len(part.body),
            checksum(part.body),
        )
        self.next_offset = header.next_offset
        self.batches.append((header, part.body))

    def change(self, changes: Changes) -> None:
        self.add(Part(len(changes), encode_changes(changes), 0))

    def replayed(self, start: int = 0) -> LastValues:
        values = LastValues()
        values.restore(None)
        for header, body in self.batches[start:]:
            values.observe(header, memoryview(body))
        return values


def test_last_value_of_each_key_counts() -> None:
    history = History()
    history.change({b"a": b"1", b"b": b"2", b"": b"empty key"})
    history.change({b"a": None, b"c": b"", b"never there": None})
    history.add(Part(0, b"", 0), Kind.MARK)
    history.change({b"b": b"3"})
    values = history.replayed()
    assert values.entries == {b"b": b"3", b"c": b"", b"": b"empty key"}
    assert values.changes_bytes == sum(
        header.batch_bytes for header, _ in history.batches if header.record_count
    )


def test_snapshot_in_one_part_makes_what_is_before_it_needless() -> None:
    history = History()
    history.change({b"a": b"1", b"b": b"2"})
    (part,) = encode_parts(history.replayed().entries)
    assert part.flags == HeaderFlag.SNAPSHOT
    history.add(part)
    history.change({b"a": b"4"})
    values = history.replayed(1)
    assert values.entries == {b"a": b"4", b"b": b"2"}
    assert (values.snapshot_base, values.snapshot_end) == (2, 4)
    assert values.snapshot_bytes == history.batches[1][0].batch_bytes
    assert values.changes_bytes == history.batches[2][0].batch_bytes


def test_snapshot_of_nothing_forgets_everything() -> None:
    history = History()
    history.change({b"a": b"1"})
    history.add(next(encode_parts({})))
    assert history.replayed().entries == {}
    assert history.replayed(1).snapshot_base == 1


def large_entries() -> dict[bytes, bytes]:
    return {b"%d" % number: b"x" * 40_000 for number in range(20)} | {
        b"n%d" % number: b"" for number in range(10_000)
    }


def test_large_state_takes_several_small_parts() -> None:
    entries = large_entries()
    parts = list(encode_parts(entries))
    assert len(parts) == 5
    assert max(len(part.body) for part in parts) < 2 * PART_BYTES
    assert [bool(part.flags) for part in parts] == [True] + [False] * (len(parts) - 1)


def test_changes_between_the_parts_are_not_lost() -> None:
    history, entries = History(), large_entries()
    history.change(entries)
    for number, part in enumerate(encode_parts(entries)):
        history.add(part)
        changes = {b"0": b"new", b"%d" % (19 - number): None, b"late": b"%d" % number}
        history.change(changes)
    expected = history.replayed().entries
    assert expected[b"0"] == b"new"
    assert b"19" not in expected
    assert history.replayed(1).entries == expected


@pytest.mark.parametrize("lost", [0, 1, -1])
def test_snapshot_that_is_not_complete_is_ignored(lost: int) -> None:
    history, entries = History(), large_entries()
    history.change(entries)
    parts = list(encode_parts({b"other": b"state" * 200_000} | entries))
    del parts[lost]
    for part in parts:
        history.add(part)
        history.change({b"late": b"1"})
    values = history.replayed()
    assert values.entries == entries | {b"late": b"1"}
    assert values.snapshot_end == 0


def test_snapshot_begun_anew_counts() -> None:
    history, entries = History(), large_entries()
    parts = list(encode_parts(entries))
    for part in [*parts[:2], *parts]:
        history.add(part)
    values = history.replayed()
    assert values.entries == entries
    assert values.snapshot_base == sum(part.record_count for part in parts[:2])


def test_more_than_a_batch_may_hold_is_refused() -> None:
    with pytest.raises(BatchError):
        encode_changes({b"%d" % number: b"" for number in range(65_536)})


CHANGES = st.dictionaries(
    st.sampled_from([b"a", b"b", b"c", b""]), st.none() | st.binary(max_size=3), min_size=1
)


@given(st.lists(CHANGES), st.integers(0, 20))
def test_state_restored_on_the_way_leads_to_the_same_end(
    batches: list[dict[bytes, bytes | None]], cut: int
) -> None:
    history = History()
    for number, changes in enumerate(batches):
        history.change(changes)
        if number % 3 == 2:
            history.add(next(encode_parts(history.replayed().entries)))
    first, second = LastValues(), LastValues()
    for header, body in history.batches[:cut]:
        first.observe(header, memoryview(body))
    second.restore(first.snapshot())
    for header, body in history.batches[cut:]:
        second.observe(header, memoryview(body))
    assert second.snapshot() == history.replayed().snapshot()


@pytest.mark.parametrize(
    "state",
    [
        b"nonsense",
        msgpack.packb(7),
        msgpack.packb([{}, 0, 0, 0]),
        msgpack.packb([{}, 0, 0, 0, "0"]),
        msgpack.packb([{"text": b""}, 0, 0, 0, 0]),
        msgpack.packb([{b"key": 1}, 0, 0, 0, 0]),
    ],
)
def test_a_state_that_makes_no_sense_is_told(state: bytes) -> None:
    with pytest.raises(ValueError, match=r"unpack|fields|bytes"):
        LastValues().restore(state)


def test_a_part_of_a_snapshot_that_makes_no_sense_is_told() -> None:
    history = History()
    history.add(Part(1, encode_body(Columns([b"1"], [b"a"]), extension=b"short"), 0))
    with pytest.raises(ValueError, match="part of a snapshot"):
        history.replayed()
