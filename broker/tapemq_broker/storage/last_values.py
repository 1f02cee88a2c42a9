"""The state that a log of changes adds up to: the last value of each key. An Observer.

A batch of changes is an ordinary body: a record for each key, without a value where the key was
removed. A snapshot restates everything in *parts*, batches between which changes may lie. Each
part has an extension of 6 bytes: version u8, part number u32, 1 for the last part u8. The header
of the first part has the flag SNAPSHOT. Once the last part is there, what lies before the first
one is not needed: the parts, and then the changes since the first one, add up to the state.
"""

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

import msgpack

from tapemq.batch import (
    BODY_PREFIX_BYTES,
    Columns,
    Header,
    HeaderFlag,
    Kind,
    decode_columns,
    decode_prefix,
    encode_body,
)

PART_BYTES: Final = 256 * 1024
"""About how large a part is: encoding and writing it takes less than 2 ms."""

_PART_COUNT_MAX: Final = 4096
_VERSION: Final = 1
_PART: Final = Struct(">BIB")

Changes = Mapping[bytes, bytes | None]


class Part(NamedTuple):
    """One batch of a snapshot."""

    record_count: int
    body: bytes
    flags: int


def encode_changes(changes: Changes) -> bytes:
    """The body of a batch of changes. Raises BatchError if they do not fit in one batch."""
    return encode_body(Columns(list(changes.values()), list(changes)))


def encode_parts(entries: Mapping[bytes, bytes]) -> Iterator[Part]:
    """A snapshot of ``entries``, which must not change meanwhile: at least one part."""
    items = list(entries.items())
    start = number = 0
    while number == 0 or start < len(items):
        stop = _part_stop(items, start)
        extension = _PART.pack(_VERSION, number, stop == len(items))
        # A batch has at least one record: one without a key restates that there is nothing.
        columns = Columns(
            [value for _, value in items[start:stop]] or [None],
            [key for key, _ in items[start:stop]] or [None],
        )
        body = encode_body(columns, extension=extension)
        yield Part(len(columns.values), body, 0 if number else HeaderFlag.SNAPSHOT)
        start, number = stop, number + 1


def _part_stop(items: list[tuple[bytes, bytes]], start: int) -> int:
    size_bytes, stop = 0, start
    while stop < len(items) and stop - start < _PART_COUNT_MAX and size_bytes < PART_BYTES:
        size_bytes += len(items[stop][0]) + len(items[stop][1])
        stop += 1
    return stop


class _Restating:
    """A snapshot of which the last part was not seen yet."""

    def __init__(self, base_offset: int) -> None:
        self.base_offset: Final = base_offset
        self.entries: Final[dict[bytes, bytes]] = {}
        self.changes: Final[dict[bytes, bytes | None]] = {}
        self.size_bytes = 0
        self.changes_bytes = 0
        self.parts = 0
        # A repair has given up what lies between its parts, or in front of them.
        self.has_gap = False


class LastValues:
    """Entries by key, and how much of the log is needed to get them back.

    ``snapshot_base`` is the offset of the newest complete snapshot (0: there is none, and the log
    goes back to its start), ``snapshot_end`` the offset behind it, ``snapshot_bytes`` its size,
    and ``changes_bytes`` the size of the changes since it began.
    """

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.snapshot_base = 0
        self.snapshot_end = 0
        self.snapshot_bytes = 0
        self.changes_bytes = 0
        self._restating: _Restating | None = None
        self._begins_with_state = False

    def restore(self, state: bytes | None) -> None:
        """Start from a state of snapshot(), or from nothing. Raises ValueError."""
        self._restating = None
        self._begins_with_state = state is not None
        entries, *numbers = _decode_state(state) if state else ({}, 0, 0, 0, 0)
        self.entries = entries
        self.snapshot_base, self.snapshot_end, self.snapshot_bytes, self.changes_bytes = numbers

    def snapshot(self) -> bytes | None:
        """The state for restore(). A snapshot in the log that is not complete is left out.

        None while its parts count one by one: whoever began in between would pass the others by.
        """
        if self._restating is not None and self._restating.has_gap:
            return None
        numbers = (self.snapshot_base, self.snapshot_end, self.snapshot_bytes, self.changes_bytes)
        return bytes(msgpack.packb((self.entries, *numbers)))

    def opened(self) -> None:
        """All of the log was seen. No part comes any more of a snapshot that is not complete: the
        next one begins anew."""
        self._restating = None

    def observe(self, header: Header, body: memoryview) -> None:
        """Take the next batch of the log. Raises ValueError (BatchError)."""
        if header.kind is Kind.MARK:
            return
        if header.kind is Kind.GAP:
            self._pass_gap()
            return
        values, keys, _ = decode_columns(body)
        records = dict(zip(keys or (), values, strict=True))
        changes = {key: value for key, value in records.items() if key is not None}
        extension_length = decode_prefix(body).extension_length
        if extension_length:
            extension = body[BODY_PREFIX_BYTES : BODY_PREFIX_BYTES + extension_length]
            if extension_length != _PART.size:
                raise ValueError(f"part of a snapshot with an extension of {extension_length}")
            _, number, is_last = _PART.unpack(extension)
            self._take_part(header, number, bool(is_last), changes)
        else:
            self.apply(changes, header.batch_bytes)

    def apply(self, changes: Changes, size_bytes: int) -> None:
        """Take changes that a batch of ``size_bytes`` holds."""
        _update(self.entries, changes)
        self.changes_bytes += size_bytes
        if self._restating is not None:
            self._restating.changes.update(changes)
            self._restating.changes_bytes += size_bytes

    def restated(self, base: int, end: int, size_bytes: int, changes_bytes: int) -> None:
        """Note that all entries are restated from offset ``base`` to ``end`` of the log.

        ``changes_bytes`` is how much of the changes was counted before that began.
        """
        self._restating = None
        self.snapshot_base, self.snapshot_end = base, end
        self.snapshot_bytes = size_bytes
        self.changes_bytes -= changes_bytes

    def _take_part(self, header: Header, number: int, is_last: bool, entries: Changes) -> None:
        if number == 0:
            self._restating = _Restating(header.base_offset)
        restating = self._restating
        if restating is None or (restating.parts != number and not restating.has_gap):
            # The rest of a snapshot whose beginning is in front of what was restored.
            self._restating = None
            return
        if restating.has_gap:
            self._take_single_part(restating, entries)
            self._restating = None if is_last else restating
            return
        _update(restating.entries, entries)
        restating.parts += 1
        restating.size_bytes += header.batch_bytes
        if is_last:
            self._complete(restating, header.next_offset)

    def _pass_gap(self) -> None:
        """A repair gave up what was here. No snapshot that it is in will be complete; what is left
        of one may be all that says what came before."""
        restating = self._restating
        if restating is None and not self._begins_with_state:
            restating = self._restating = _Restating(0)
        if restating is not None:
            restating.has_gap = True
            self._take_single_part(restating, restating.entries)

    def _take_single_part(self, restating: _Restating, entries: Changes) -> None:
        """Take what a part restates, unless it was changed since the snapshot began."""
        changed = restating.changes
        _update(self.entries, {key: entries[key] for key in entries if key not in changed})

    def _complete(self, restating: _Restating, end: int) -> None:
        self._restating = None
        self.entries = restating.entries
        _update(self.entries, restating.changes)
        self.snapshot_base, self.snapshot_end = restating.base_offset, end
        self.snapshot_bytes = restating.size_bytes
        self.changes_bytes = restating.changes_bytes


def _decode_state(state: bytes) -> Any:
    fields = msgpack.unpackb(state)
    if type(fields) is not list or [type(one) for one in fields] != [dict, int, int, int, int]:
        raise ValueError("a state of entries and four numbers has other fields")
    if any(type(item) is not bytes for pair in fields[0].items() for item in pair):
        raise ValueError("an entry is not of bytes")
    return fields


def _update(entries: dict[bytes, bytes], changes: Changes) -> None:
    for key, value in changes.items():
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
