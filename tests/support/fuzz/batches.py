"""The decoders of the batch format, and of the files that a log is made of."""

from collections.abc import Iterator
from struct import pack
from typing import Final
from zlib import crc32

from tapemq.batch import (
    HEADER_BYTES,
    BatchError,
    Codec,
    Columns,
    LogId,
    Role,
    check_body,
    checksum,
    decode_columns,
    decode_extras,
    decode_header,
    encode_body,
    encode_extras,
    iter_batches,
)
from tapemq.batch.body import decode_keys, decode_runs
from tapemq.batch.cut import Cutter
from tapemq.batch.expiry import decode_ttls
from tapemq_broker.core.inspection import BatchLimits, inspect, is_heavy
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.producers import Producers
from tapemq_broker.core.refusal import Refused
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.clean import CleanEntry, read_clean
from tapemq_broker.storage.errors import CorruptLog, DataDirectoryError, LogRefused
from tapemq_broker.storage.gap import Gap, decode_gap
from tapemq_broker.storage.index import Index
from tapemq_broker.storage.snapshot import decode_snapshot, encode_snapshot
from tests.support.damage_outcome import open_and_read
from tests.support.disk_image import make_disk
from tests.support.fuzz.fuzzing import Decoder
from tests.support.golden import read_golden
from tests.support.sample_directory import DATA_PATH, Sample, build_sample

GOLDEN: Final = read_golden("batch")
BODIES: Final = [
    GOLDEN["body"],
    GOLDEN["empty value body"],
    GOLDEN["zlib body"],
    encode_body(Columns([b"a", b"b"], None, [encode_extras({"k": 1})] * 2), codec=Codec.ZSTD),
]
_LIMITS: Final = BatchLimits(batch_bytes=4 << 20, record_bytes=1 << 20)
_CRC_BYTES: Final = 4
_HEAD: Final = HEADER_BYTES - _CRC_BYTES
_LOG: Final = LogId(7, 0, Role.DATA)
_END: Final = LogEnd(5, 3, 1, 0, 9)


def decoders() -> Iterator[Decoder]:
    """All of them."""
    yield Decoder("batch header", [GOLDEN["header"], GOLDEN["mark"]], _header, (BatchError,))
    batches = [GOLDEN["header"] + GOLDEN["body"] + GOLDEN["mark"], GOLDEN["mark"]]
    yield Decoder("batches", batches, _batches, (BatchError,))
    yield Decoder("body on arrival", BODIES, _arriving, (BatchError,))
    yield Decoder("body", BODIES, _body, (BatchError,))
    yield Decoder("body of a publish", BODIES, _published, (Refused,))
    extras = [encode_extras({"k": 1, "b": b"\xff", "s": "x", "t": True})]
    yield Decoder("extras", extras, decode_extras, (BatchError,), is_packed=True)
    yield Decoder("gap", [Gap(9, 3, 7, "lost").encode()], decode_gap, (BatchError,))
    yield from _files()


def _files() -> Iterator[Decoder]:
    clean, crashed = build_sample(is_clean=True), build_sample(is_clean=False)
    for name, sample in (("clean", clean), ("crashed", crashed)):
        yield _segment(f"newest segment {name}", sample, sample.segments[-1])
    yield _segment("older segment crashed", crashed, crashed.segments[1])
    indexes = [data for path, data in clean.image.items() if path.endswith(".index")]
    yield Decoder("index file", indexes, lambda data: Index.decode(_summed(data)), ())
    state = encode_snapshot(_LOG, _END, b"state")
    yield Decoder("state file", [state], lambda data: decode_snapshot(data, _LOG, _END), ())
    yield Decoder("note of a clean stop", [clean.image["CLEAN"]], _clean, ())
    yield _format(clean)
    producers = Producers()
    yield Decoder(
        "producers snapshot",
        [_producers()],
        producers.restore,
        (BadEntry,),
        is_packed=True,
    )


def _producers() -> bytes:
    producers = Producers()
    for number in range(3):
        body = encode_body(Columns([b"a"]), producer_id=number + 1)
        producers.observe(check_body(body)[0], number, 0)
    return producers.snapshot()


def _header(data: bytes) -> None:
    """With a checksum that fits, a header that is taken is the one that was written."""
    head = data[:_HEAD].ljust(_HEAD, b"\0")
    header = decode_header(head + pack(">I", crc32(head)))
    assert header.encode()[0][:_HEAD] == head


def _batches(data: bytes) -> None:
    for header, body in iter_batches(data):
        assert header.body_length == len(body)


def _arriving(data: bytes) -> None:
    """Whatever the broker takes, a reader can read, all of it."""
    prefix, longest = check_body(data)
    values, keys, extras = decode_columns(data)
    sizes = [len(item) for item in (*values, *(keys or ())) if item is not None]
    assert (len(values), max(sizes, default=0)) == (prefix.record_count, longest)
    assert len(decode_keys(data)) == len(decode_ttls(data)) == prefix.record_count
    assert sum(len(run.values) for run in decode_runs(data)) == prefix.record_count
    for item in extras or ():
        decode_extras(item)


def _body(data: bytes) -> None:
    """A reader whom nobody protects."""
    for item in decode_columns(data).extras or ():
        decode_extras(item)


def _published(data: bytes) -> None:
    """What the broker takes, it can cut records out of, for queues."""
    is_heavy(data)
    prefix = inspect(data, checksum(data), _LIMITS)
    if prefix.codec is not Codec.NONE:
        return
    count, whole = prefix.record_count, decode_columns(data)
    first = count // 2
    header = decode_header(GOLDEN["header"])._replace(record_count=count, base_offset=7)
    pieces = Cutter(header, memoryview(data)).cut(first, count - first)
    ((found, body),) = iter_batches(b"".join(pieces))
    assert (found.base_offset, found.record_count) == (7 + first, count - first)
    for cut_column, column in zip(decode_columns(body), whole, strict=True):
        assert cut_column == (column and column[first:])


def _summed(data: bytes) -> bytes:
    return data[:-_CRC_BYTES] + pack(">I", crc32(data[:-_CRC_BYTES]))


def _clean(data: bytes) -> None:
    """A damaged note is none, also where its checksum fits."""
    rest = data[9:]
    for text in (data, data[:5] + pack(">I", crc32(rest)) + rest):
        state = read_clean(text)
        assert all(isinstance(entry, CleanEntry) for entry in state.entries.values())


def _segment(name: str, sample: Sample, path: str) -> Decoder:
    """Opened and read, through the recovery table, with no record that nobody wrote."""

    def decode(data: bytes) -> None:
        outcome = open_and_read(make_disk(sample.data_only() | {path: data}), sample)
        assert outcome.refused is None or outcome.refused.segment.startswith(DATA_PATH)

    return Decoder(name, [sample.image[path]], decode, (LogRefused, CorruptLog))


def _format(sample: Sample) -> Decoder:
    from tapemq_broker.storage.directory import DataDirectory

    def decode(data: bytes) -> None:
        DataDirectory.open(make_disk({"FORMAT": data}), bytes(16))

    return Decoder("format line", [sample.image["FORMAT"]], decode, (DataDirectoryError,))
