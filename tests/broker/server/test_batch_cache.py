"""What was read is found again, until there is no room for it."""

from tapemq.batch import LogId, Role
from tapemq_broker.server.batch_cache import BatchCache
from tapemq_broker.server.batches import Batches
from tests.support.chunks import chunk, numbered

LOG = LogId(1, 0, Role.DATA)
OTHER = LogId(1, 1, Role.DATA)


def batches(first: int, upto: int, hint: object = None) -> Batches:
    return Batches(first, chunk(numbered(first, upto - first), next_offset=upto, hint=hint))


SIZE_BYTES = batches(0, 10).size_bytes


def firsts(cache: BatchCache, *offsets: int) -> list[int | None]:
    found = [cache.find(LOG, offset) for offset in offsets]
    return [entry.first if entry else None for entry in found]


def test_what_holds_an_offset_is_found() -> None:
    cache = BatchCache(1 << 20)
    cache.put(LOG, batches(30, 40))
    cache.put(LOG, batches(10, 20))
    assert firsts(cache, 9, 10, 19, 20, 29, 30, 39, 40) == [
        *(None, 10, 10, None),
        *(None, 30, 30, None),
    ]
    assert cache.find(OTHER, 10) is None


def test_reading_goes_on_with_the_hint_of_what_ends_there() -> None:
    cache = BatchCache(1 << 20)
    cache.put(LOG, batches(10, 20, hint="at 20"))
    assert cache.hint(LOG, 20) == "at 20"
    assert cache.hint(LOG, 19) is None
    assert cache.hint(LOG, 21) is None
    assert cache.hint(LOG, 5) is None
    assert cache.hint(OTHER, 20) is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = BatchCache(3 * SIZE_BYTES)
    for first in (0, 10, 20):
        cache.put(LOG, batches(first, first + 10))
    cache.find(LOG, 5)
    cache.put(OTHER, batches(30, 40))
    assert firsts(cache, 0, 10, 20) == [0, None, 20]
    assert cache.find(OTHER, 30) is not None
    assert cache.size_bytes <= 3 * SIZE_BYTES


def test_what_is_larger_than_the_cache_is_kept_until_the_next() -> None:
    cache = BatchCache(1)
    cache.put(LOG, batches(0, 10))
    assert firsts(cache, 3) == [0]
    cache.put(LOG, batches(10, 20))
    assert firsts(cache, 3, 13) == [None, 10]


def test_what_was_read_again_takes_the_place_of_the_first() -> None:
    cache = BatchCache(1 << 20)
    cache.put(LOG, batches(0, 10))
    cache.put(LOG, batches(0, 20))
    assert firsts(cache, 15) == [0]
    assert cache.size_bytes == batches(0, 20).size_bytes


def test_removed_logs_are_forgotten() -> None:
    cache = BatchCache(1 << 20)
    for first in (0, 10):
        cache.put(LOG, batches(first, first + 10))
    cache.put(OTHER, batches(0, 10))
    cache.forget(LOG)
    cache.forget(LOG)
    assert firsts(cache, 0, 10) == [None, None]
    assert cache.size_bytes == SIZE_BYTES
