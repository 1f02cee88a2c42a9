"""Batches for tests: one of every feature, and Hypothesis strategies for the rest."""

import struct

from hypothesis import strategies as st

from tapemq.batch import Codec, Columns, Header, HeaderFlag, Kind, LogId, Role, Scalar

TABLE = 44
"""Where the tables of a body without extension begin."""

_U32 = st.integers(0, 2**32 - 1)
_U64 = st.integers(0, 2**64 - 1)


def patched(body: bytes, position: int, layout: str, *values: int) -> bytes:
    """The body with some bytes written over."""
    new = struct.pack(">" + layout, *values)
    return body[:position] + new + body[position + len(new) :]


scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=20),
    st.integers(-(2**63), 2**64 - 1),
    st.booleans(),
)
entries = st.dictionaries(st.text(max_size=10), scalars, max_size=5)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    """Up to 20 records, with and without keys, extras and tombstones."""
    count = draw(st.integers(1, 20))

    def column(of: st.SearchStrategy[bytes | None]) -> list[bytes | None]:
        return draw(st.lists(of, min_size=count, max_size=count))

    some = st.binary(max_size=30)
    values = column(some if draw(st.booleans()) else st.none() | some)
    keys = column(st.none() | some) if draw(st.booleans()) else None
    extras = None
    if draw(st.booleans()):
        extras = [item or b"" for item in column(st.just(b"") | st.just(b"\x92\x80\x80"))]
    return Columns(values, keys, extras)


codecs = st.sampled_from(Codec)
headers = st.builds(
    Header,
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.MARK]),
    flags=st.sampled_from([0, int(HeaderFlag.SNAPSHOT)]),
    log_id=st.builds(LogId, _U64, _U32, st.sampled_from(Role)),
    log_epoch=_U32,
    record_count=st.integers(0, 65_535),
    base_offset=st.integers(0, 2**63),
    batch_number=_U64,
    append_time_us=_U64,
    durable_upto=_U64,
    durable_batch=_U64,
    previous_checksum=_U32,
    body_length=st.integers(0, 20 * 1024 * 1024),
    body_checksum=_U32,
)
