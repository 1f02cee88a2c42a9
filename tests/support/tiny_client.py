"""A TapeMQ client of at most 200 lines, written from protocol.md alone.

It needs the standard library and msgpack, nothing of TapeMQ. One blocking socket, one thread.
"""

import io
import socket
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack

FRAME = struct.Struct(">4sIBBHI")
FRAME_BYTES_MAX = 20_987_992
BODY = struct.Struct(">BBHIQIIQQI")
BATCH = struct.Struct(">4sBBBBQIIIIQQQQQIIII")
KEYS, EXTRAS, TOMBSTONES = 1, 2, 4
MISSING = 0xFFFF_FFFF

HELLO, WELCOME, PING, PONG, FAILURE, BYE, FLOW, DONE = 1, 4, 5, 6, 7, 8, 9, 10
DESCRIBE_TOPIC, TOPIC, OPEN_PRODUCER, PRODUCER, PUBLISH, RECEIPT = 17, 18, 32, 33, 34, 35
SUBSCRIBE, ASSIGNED, REVOKE, RELEASE, DELIVER, CREDIT, COMMIT = 48, 49, 50, 51, 52, 53, 54
DETACHED = 57


Fields = dict[str, Any]
Frame = tuple[int, int, Fields, bytes]  # opcode, correlation, fields, payload


class Refused(Exception):
    """The broker said Failure or Detached. ``code`` is one of the table of errors."""

    def __init__(self, fields: Fields) -> None:
        super().__init__(f"{fields['code']}: {fields['text']}")
        self.code: int = fields["code"]


class Record(NamedTuple):
    """A record as delivered. ``key`` and ``value`` may be missing."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Fields


def pack_body(
    records: list[tuple[bytes | None, bytes | None]], producer: tuple[int, int], sequence: int
) -> bytes:
    """A batch body of records (key, value), uncompressed, without headers."""
    items = [value for _, value in records] + [key for key, _ in records]
    lengths = [MISSING if item is None else len(item) for item in items]
    data = b"".join(item or b"" for item in items)
    count, (producer_id, epoch) = len(records), producer
    flags = KEYS | TOMBSTONES
    head = BODY.pack(1, 0, flags, count, producer_id, epoch, 0, sequence, 0, len(data))
    return head + struct.pack(f">{len(lengths)}I", *lengths) + data


def unpack_batches(payload: bytes, partition: int) -> Iterator[Record]:
    """The records of whole batches, every checksum verified. Raises ValueError."""
    while payload:
        magic, version, kind, checksum_kind, *rest = BATCH.unpack_from(payload)
        count, base_offset, (size, body_checksum, checksum) = rest[5], rest[6], rest[-3:]
        if magic != b"TMQB" or zlib.crc32(payload[:84]) != checksum:
            raise ValueError("a batch's header is damaged")
        if version != 1 or checksum_kind != 1:
            raise ValueError(f"a batch of version {version}, checksum kind {checksum_kind}")
        body, payload = payload[BATCH.size : BATCH.size + size], payload[BATCH.size + size :]
        if len(body) != size or zlib.crc32(body) != body_checksum:
            raise ValueError(f"the body of the batch at offset {base_offset} is damaged")
        if kind == 0:
            yield from unpack_body(body, partition, base_offset, count)


def unpack_body(body: bytes, partition: int, offset: int, count: int) -> Iterator[Record]:
    """The records of a body whose first one has ``offset``."""
    version, codec, flags, own_count, _, _, extension_length, _, _, size = BODY.unpack_from(body)
    if version != 1 or codec > 1 or own_count != count:
        raise ValueError(f"a body of version {version}, codec {codec}, {own_count} records")
    columns = 1 + bool(flags & KEYS) + bool(flags & EXTRAS)
    start = BODY.size + extension_length
    lengths = struct.unpack_from(f">{columns * count}I", body, start)
    data = body[start + 4 * len(lengths) :]
    data = zlib.decompressobj().decompress(data, size + 1) if codec == 1 else data
    if len(data) != size or sum(length for length in lengths if length != MISSING) != size:
        raise ValueError(f"a data area of {len(data)} bytes; {size} were said")
    rest = io.BytesIO(data)
    items = [None if length == MISSING else rest.read(length) for length in lengths]
    for i in range(count):
        key = items[count + i] if flags & KEYS else None
        extras = items[-count + i] if flags & EXTRAS else b""
        headers = msgpack.unpackb(extras)[0] if extras else {}
        yield Record(partition, offset + i, key, items[i], headers)


class TinyClient:
    """A session. Requests are answered one by one; pushes wait in ``_pushes`` meanwhile."""

    def __init__(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        self._socket = socket.create_connection((host, port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self._correlation = 0
        self._pushes: deque[Frame] = deque()
        self.generations: dict[tuple[int, int], int] = {}
        self.welcome = self.request(HELLO, WELCOME, {"versions": [1], "client": "tiny 1.0"})

    def send(self, opcode: int, fields: Fields, number: int = 0, body: bytes = b"") -> None:
        """Send a frame."""
        head = msgpack.packb(fields)
        prefix = FRAME.pack(b"\xf1TQ1", len(head) + len(body), opcode, 0, len(head), number)
        self._socket.sendall(prefix + head + body)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise ConnectionError("the broker closed the connection")
        return data

    def _receive(self) -> Frame:
        """The next frame that is not about the connection itself."""
        while True:
            magic, length, opcode, flags, size, number = FRAME.unpack(self._read(FRAME.size))
            if magic != b"\xf1TQ1" or flags or size > length or length > FRAME_BYTES_MAX:
                raise ConnectionError("the broker sent what is no frame")
            fields, payload = msgpack.unpackb(self._read(size)), self._read(length - size)
            if opcode == PING:
                self.send(PONG, {}, number)
            elif opcode == FAILURE and number == 0:
                raise Refused(fields)
            elif opcode not in (PONG, FLOW, BYE):
                return opcode, number, fields, payload

    def request(self, opcode: int, answer: int, fields: Fields, body: bytes = b"") -> Fields:
        """Send a request; the fields of its answer. Raises Refused."""
        self._correlation += 1
        self.send(opcode, fields, self._correlation, body)
        while (frame := self._receive())[1] != self._correlation:
            self._pushes.append(frame)
        if frame[0] == FAILURE:
            raise Refused(frame[2])
        if frame[0] != answer:
            raise ConnectionError(f"opcode {frame[0]} answers {opcode}")
        return frame[2]

    def topic(self, name: str) -> Fields:
        """Look a topic up, creating it if it is missing."""
        return self.request(DESCRIBE_TOPIC, TOPIC, {"topic": name, "create": True})

    def open_producer(self) -> tuple[int, int]:
        """A new producer id and its epoch."""
        producer = self.request(OPEN_PRODUCER, PRODUCER, {})
        return producer["producer_id"], producer["producer_epoch"]

    def publish(self, topic_id: int, partition: int, body: bytes) -> Fields:
        """Append a batch; the same body again is a retry. The fields of the Receipt."""
        where = {"topic_id": topic_id, "partition": partition, "checksum": zlib.crc32(body)}
        return {"level": 0, "duplicate": False} | self.request(PUBLISH, RECEIPT, where, body)

    def subscribe(self, subscription: int, topic_id: int, **wishes: Any) -> None:
        """Begin to read; read() brings the records."""
        fields = {"subscription": subscription, "topic_id": topic_id, **wishes}
        self.request(SUBSCRIBE, DONE, fields)

    def commit(self, topic_id: int, group: str, record: Record, subscription: int) -> None:
        """The group has handled the record and all before it. On disk when it returns."""
        fields = {"topic_id": topic_id, "group": group, "partition": record.partition}
        fields["generation"] = self.generations[subscription, record.partition]
        self.request(COMMIT, DONE, {**fields, "offset": record.offset + 1})

    def read(self) -> Iterator[Record]:
        """Records of all subscriptions, without end; what was taken is granted again."""
        while True:
            opcode, _, fields, payload = self._pushes.popleft() if self._pushes else self._receive()
            place = fields["subscription"], fields["partition"]
            if opcode == ASSIGNED:
                self.generations[place] = fields["generation"]
            elif opcode == REVOKE:
                del fields["deadline_ms"]  # Release has the other fields of Revoke
                self.request(RELEASE, DONE, fields)
            elif opcode == DETACHED:
                raise Refused(fields)
            elif opcode == DELIVER:
                if self.generations.get(place) == fields["generation"]:
                    records = unpack_batches(payload, fields["partition"])
                    yield from (r for r in records if r.offset >= fields["offset"])
                granted = {"records": fields["records"], "bytes": len(payload)}
                self.send(CREDIT, {"subscription": fields["subscription"], **granted})

    def close(self) -> None:
        """Say goodbye."""
        self.send(BYE, {})
        self._stream.close()
        self._socket.close()
