"""The batch format: the unit of writing, checksumming and moving. This page is its specification.

A log is a sequence of batches without gaps between them. A batch is a *header* that the broker
writes when it appends, and a *body* that the producer made; both rest on disk and travel to
consumers unchanged. All integers are big-endian and unsigned. Times are microseconds since
1970-01-01 UTC. Checksums are CRC-32 (IEEE 802.3, ``zlib.crc32``), named by ``checksum_kind`` 1.

Header, 88 bytes::

     0               4       5      6               7       8
    +---------------+-------+------+---------------+-------+
    | magic "TMQB"  |version| kind | checksum_kind | flags |
    +---------------+-------+------+---------------+-------+
     8 topic_id u64        16 partition u32   20 role u32      } log id
    24 log_epoch u32       28 count u32
    32 base_offset u64
    40 batch_number u64
    48 append_time_us u64
    56 durable_upto u64
    64 durable_batch u64
    72 previous_checksum u32   76 body_length u32
    80 body_checksum u32       84 header_checksum u32

* ``version`` is 1. A reader refuses a version that it does not know; every version will keep
  the first five bytes and the header checksum where they are, so damage is told from novelty.
* ``kind``: 0 data, 1 mark (no body), 2 group state, 3 catalog, 4 schedule, 5 atomic commit,
  6 gap.
* ``flags``: bit 0 *snapshot*: this batch begins to restate the whole state of its log; once that
  is complete, what lies before it is not needed. The other bits are zero.
* The log id says where the batch belongs: topic id, partition, role (0 data, 1 groups,
  2 schedule, 3 catalog). A re-created topic has another id, so a batch never fits two logs.
* ``log_epoch`` is raised each time a tail that was never acknowledged is cut off.
* ``base_offset`` is the offset of the first record; the batch holds ``count`` records.
* ``batch_number`` counts the batches of a log from 0; ``previous_checksum`` is the
  ``header_checksum`` of the batch before it (0 for the first). Together they are the chain.
* ``append_time_us`` never decreases within a log.
* ``durable_upto`` and ``durable_batch``: when this batch was written, every record with an
  offset, and every batch with a number, below these was known to be on disk. They let recovery
  tell a torn tail from rot.
* A *gap* has no records. It stands where batches were lost and a repair gave them up; its body
  (u8 version 1, u64 offset, u64 batch number, u32 checksum, UTF-8 reason) says which base offset
  and batch number the next batch has, and which ``previous_checksum``.
* ``header_checksum`` covers bytes 0 to 83, ``body_checksum`` the whole body.

Body, 44 bytes and three areas::

     0 version u8   1 codec u8   2 flags u16   4 count u32
     8 producer_id u64
    16 producer_epoch u32       20 extension_length u32
    24 first_sequence u64
    32 producer_time_us u64
    40 data_length u32
    44 extension area: extension_length bytes
     . length tables: count u32 each: values; keys if flag KEYS; extras if flag EXTRAS
     . data: the value column, the key column, the extras column; data_length bytes before codec

* ``version`` is 1. ``codec`` says how the data area is compressed: 0 not, 1 zlib, 2 zstd.
* ``flags``: bit 0 KEYS, bit 1 EXTRAS, bit 2 TOMBSTONES, bit 3 EXPIRY, bit 4 PRIORITY,
  bit 5 CONTROL. The other bits are zero.
* Record *i* has the sequence ``first_sequence + i`` of its producer. ``producer_id`` 0 means
  that nobody counts.
* The length tables give each record's share of each column, in order. The length 0xFFFFFFFF
  means that there is no value (a tombstone, allowed only under TOMBSTONES) or no key; an extras
  length of 0 means none. So any run of records can be cut out without decoding one.
* ``extras`` of a record is a msgpack array of two maps: its headers (text to bytes, text,
  integer or boolean) and its attributes (text to the same), for expiry, message id, content
  type, reply-to and what comes later. Each map has at most 64 entries, no name twice; the
  extras of a record take at most 16 KiB.
* The attribute ``ttl_us``, an integer from 1 to 2^53, is a record's time to live: so many
  microseconds after the batch's ``append_time_us`` queues hand it out no more. It counts only
  under EXPIRY, which says that some records may have it; other values count as none.
* The extension area is for what the batch as a whole may need later. Readers skip it.
"""

from tapemq.batch.body import (
    BODY_PREFIX_BYTES,
    BodyPrefix,
    Columns,
    Numbers,
    check_body,
    decode_columns,
    decode_keys,
    decode_prefix,
    decode_runs,
    encode_body,
    encode_parts,
)
from tapemq.batch.checksum import CRC32, checksum
from tapemq.batch.codec import Codec
from tapemq.batch.cut import Cutter
from tapemq.batch.errors import BatchError, ChecksumMismatch, UnknownFormat
from tapemq.batch.extras import Scalar, decode_extras, encode_extras
from tapemq.batch.header import (
    HEADER_BYTES,
    Header,
    HeaderFlag,
    Kind,
    Outline,
    decode_header,
    read_outline,
)
from tapemq.batch.limits import BODY_BYTES_MAX, COUNT_MAX, RECORD_BYTES_MAX
from tapemq.batch.log_id import LogId, Role
from tapemq.batch.sequence import iter_batches

__all__ = [
    "BODY_BYTES_MAX",
    "BODY_PREFIX_BYTES",
    "COUNT_MAX",
    "CRC32",
    "HEADER_BYTES",
    "RECORD_BYTES_MAX",
    "BatchError",
    "BodyPrefix",
    "ChecksumMismatch",
    "Codec",
    "Columns",
    "Cutter",
    "Header",
    "HeaderFlag",
    "Kind",
    "LogId",
    "Numbers",
    "Outline",
    "Role",
    "Scalar",
    "UnknownFormat",
    "check_body",
    "checksum",
    "decode_columns",
    "decode_extras",
    "decode_header",
    "decode_keys",
    "decode_prefix",
    "decode_runs",
    "encode_body",
    "encode_extras",
    "encode_parts",
    "iter_batches",
    "read_outline",
]
