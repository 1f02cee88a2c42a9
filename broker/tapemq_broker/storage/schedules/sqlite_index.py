"""The index of schedules in a SQLite file, with a checksum for each row."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tapemq_broker.storage.schedules.columns import (
    INTEGER_MAX,
    checked,
    firing_of,
    schedule_of,
    to_blob,
    to_topic_id,
    topic_of,
    with_checksum,
)
from tapemq_broker.storage.schedules.index import (
    ANY_BYTES,
    NOTHING,
    BeginFiring,
    DueRow,
    EndFiring,
    IndexDamaged,
    LeftOut,
    Move,
    Operation,
    Put,
    Remove,
    Row,
    TopicState,
)
from tapemq_broker.storage.schedules.inspection import Inspection, errors_of
from tapemq_broker.storage.schedules.memory_index import within_bytes

_VERSION: Final = 3
_FILE_MODE: Final = 0o600
_NEXT_ROWS: Final = 1024
"""So many of a topic are looked at for one that is not left out: a partition may have millions."""

_CACHE_KIB: Final = 16 * 1024
_JOURNAL_PAGES: Final = 16 * 1024
"""Of 4 KiB. A transaction changes pages all over the index of times; the longer the journal, the
fewer of them are copied more than once. With 1,000 pages a million rows take twice as long."""
_JOURNAL_BYTES: Final = _JOURNAL_PAGES * 4096
"""What is left of it when it has grown larger, as where a topic with a million schedules goes."""

_SCHEMA: Final = """
CREATE TABLE topic (
    topic_id BLOB PRIMARY KEY, upto INTEGER, count INTEGER, firings INTEGER,
    first_due_us INTEGER, checksum INTEGER
) WITHOUT ROWID;
CREATE TABLE schedule (
    topic_id BLOB, schedule_id INTEGER, position INTEGER, due_us INTEGER, partition INTEGER,
    key BLOB, fired INTEGER, head BLOB, record BLOB, checksum INTEGER,
    PRIMARY KEY (topic_id, schedule_id)
);
CREATE INDEX by_time ON schedule (topic_id, due_us, schedule_id, partition);
CREATE INDEX by_key ON schedule (topic_id, key) WHERE key != x'';
CREATE INDEX by_position ON schedule (topic_id, position);
CREATE TABLE firing (
    topic_id BLOB, partition INTEGER, position INTEGER, data BLOB, checksum INTEGER,
    PRIMARY KEY (topic_id, partition)
);
"""
_COLUMNS: Final = (
    "topic_id, schedule_id, position, due_us, partition, key, fired, head, record, checksum"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM schedule"
_BY_ID: Final = "WHERE topic_id = ? AND schedule_id = ?"
_FIND: Final = f"{_SELECT} {_BY_ID}"
_PUT: Final = f"INSERT OR REPLACE INTO schedule ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"
_REMOVE: Final = "DELETE FROM schedule WHERE topic_id = ? AND schedule_id = ?"
_BEGIN: Final = "INSERT OR REPLACE INTO firing VALUES (?,?,?,?,?)"
_END: Final = "DELETE FROM firing WHERE topic_id = ? AND partition = ?"
# By the order of ids, since that of positions is in question.
_BEFORE: Final = (
    "SELECT schedule_id FROM schedule INDEXED BY sqlite_autoindex_schedule_1"
    " WHERE topic_id = ? AND schedule_id <= ? AND +position < ? LIMIT 1"
)
_FIRST: Final = "SELECT min(due_us) FROM schedule WHERE topic_id = ?"
_NOTE: Final = "INSERT OR REPLACE INTO topic VALUES (?,?,?,?,?,?)"
_STATE: Final = (
    "SELECT topic_id, upto, count, firings, first_due_us, checksum FROM topic WHERE topic_id = ?"
)
_FIRING_COUNT: Final = "SELECT count(*) FROM firing WHERE topic_id = ?"
_FIRINGS: Final = (
    "SELECT topic_id, partition, position, data, checksum FROM firing WHERE topic_id = ?"
)
_TOPICS: Final = "SELECT topic_id, first_due_us FROM topic WHERE first_due_us <= ?"


class SqliteScheduleIndex:
    """The index (ScheduleIndex) in a file; one that is damaged is replaced by an empty one."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._inspection = Inspection(path)
        self._db = self._open()

    def inspection(self) -> Inspection:
        return self._inspection

    def _open(self) -> sqlite3.Connection:
        try:
            with self._errors():
                return self._connect()
        except IndexDamaged:
            self._remove()
        with self._errors():
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        # SQLite would make it for everybody to read, and its journal like it.
        for path in self._files():
            if path == self._path or path.exists():
                path.touch(_FILE_MODE)
                path.chmod(_FILE_MODE)
        # Used by one thread after another, never by two at once.
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            # Not synced with each transaction: a power cut may take the last ones, never a part.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
            db.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"its version is {version}")
            if version == 0:
                db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        except BaseException:
            db.close()
            raise
        return db

    def _remove(self) -> None:
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [Path(f"{self._path}{suffix}") for suffix in ("", "-wal", "-shm")]

    def _errors(self) -> AbstractContextManager[None]:
        return errors_of(self._path)

    def topics(self) -> list[int]:
        with self._errors():
            rows = self._db.execute("SELECT topic_id FROM topic").fetchall()
        return [to_topic_id(row[0]) for row in rows]

    def state(self, topic_id: int) -> TopicState:
        topic = to_blob(topic_id)
        with self._errors():
            known = self._db.execute(_STATE, (topic,)).fetchone()
            rows = self._db.execute(_FIRINGS, (topic,)).fetchall()
        upto, count, number = topic_of(known) if known else (0, 0, 0)
        firings = tuple(map(firing_of, rows))
        if len(firings) != number:
            raise IndexDamaged(
                f"{self._path}: {len(firings)} of {number} firings of topic {topic_id:#x} are there"
            )
        return TopicState(upto, count, firings)

    # Changing

    def apply(self, topic_id: int, upto: int, operations: Sequence[Operation]) -> None:
        count, topic = self.state(topic_id).pending, to_blob(topic_id)
        with self._transaction():
            for kind, some in groupby(operations, type):
                count += self._carry_out(kind, topic, list(some))
            first = self._db.execute(_FIRST, (topic,)).fetchone()
            firings = self._db.execute(_FIRING_COUNT, (topic,)).fetchone()
            self._db.execute(_NOTE, with_checksum(topic, upto, count, *firings, *first))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of what is done within, or nothing."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _carry_out(self, kind: type, topic: bytes, operations: list[Any]) -> int:
        """How many schedules there are more than before."""
        if kind is Put:
            before = self._count(topic, operations)
            self._db.executemany(_PUT, (with_checksum(topic, *put.row) for put in operations))
            return len({put.row.schedule_id for put in operations}) - before
        if kind is Remove:
            return -self._db.executemany(
                _REMOVE, ((topic, o.schedule_id) for o in operations)
            ).rowcount
        if kind is Move:
            for move in operations:
                self._move(topic, move)
        elif kind is BeginFiring:
            self._db.executemany(_BEGIN, (with_checksum(topic, *one) for one in operations))
        elif kind is EndFiring:
            self._db.executemany(_END, ((topic, o.partition) for o in operations))
        return 0

    def _move(self, topic: bytes, move: Move) -> None:
        row = self._one(_BY_ID, (topic, move.schedule_id))
        if row is not None:
            moved = row._replace(due_us=move.due_us, fired=move.fired)
            self._db.execute(_PUT, with_checksum(topic, *moved))

    def _count(self, topic: bytes, puts: list[Put]) -> int:
        """How many of these are there already. Ids rise, so there are few to look for."""
        query = "SELECT ifnull(max(schedule_id), 0) FROM schedule WHERE topic_id = ?"
        (highest,) = checked(self._db.execute(query, (topic,)).fetchone(), int)
        again = {put.row.schedule_id for put in puts if put.row.schedule_id <= highest}
        query = "SELECT count(*) FROM schedule WHERE topic_id = ? AND schedule_id = ?"
        return sum(self._db.execute(query, (topic, one)).fetchone()[0] for one in again)

    # Looking

    def find(self, topic_id: int, schedule_id: int) -> Row | None:
        return self._one(_BY_ID, (to_blob(topic_id), _bounded(schedule_id)))

    def find_key(self, topic_id: int, key: bytes) -> Row | None:
        where = "WHERE topic_id = ? AND key = ? AND key != x'' ORDER BY schedule_id DESC LIMIT 1"
        return self._one(where, (to_blob(topic_id), key))

    def _one(self, where: str, values: tuple[Any, ...]) -> Row | None:
        rows = self._rows(where, values)
        return rows[0].row if rows else None

    def _rows(
        self, where: str, values: tuple[Any, ...], max_bytes: int = ANY_BYTES
    ) -> list[DueRow]:
        with self._errors():
            cursor = self._db.execute(f"{_SELECT} {where}", values)
            rows = within_bytes(map(schedule_of, cursor), max_bytes)
            cursor.close()
        return rows

    def due(
        self, now_us: int, limit: int, max_bytes: int, without: LeftOut = NOTHING
    ) -> list[DueRow]:
        found: list[tuple[int, bytes, int]] = []
        with self._errors():
            for topic, first_us in self._topics(now_us, without):
                upto_us = found[-1][0] if len(found) == limit else now_us
                if first_us > upto_us:
                    break
                found = sorted([*found, *self._due_of(topic, upto_us, limit, without)])[:limit]
            if len(set(found)) < len(found):  # it would be fired twice
                raise IndexDamaged(f"{self._path}: a schedule is in the order twice")
            return within_bytes((self._known(*place) for place in found), max_bytes)

    def _known(self, due_us: int, topic: bytes, schedule_id: int) -> DueRow:
        columns = self._db.execute(_FIND, (topic, schedule_id)).fetchone()
        if columns is None:
            raise IndexDamaged(
                f"{self._path}: schedule {schedule_id} is in the order, and not there"
            )
        due = schedule_of(columns)
        if due.row.due_us != due_us:
            raise IndexDamaged(
                f"{self._path}: schedule {schedule_id} is in the order at {due_us}, and due at "
                f"{due.row.due_us}"
            )
        return due

    def _topics(self, upto_us: int, without: LeftOut) -> list[tuple[bytes, int]]:
        """Those with something that is due by then, and when the first of it is, in this order."""
        left_out = set(without.topics)
        found = self._db.execute(f"{_TOPICS} ORDER BY first_due_us", (upto_us,))
        rows = [checked(row, bytes, int) for row in found]
        return [(topic, first_us) for topic, first_us in rows if to_topic_id(topic) not in left_out]

    def _due_of(
        self, topic: bytes, upto_us: int, limit: int, without: LeftOut
    ) -> list[tuple[int, bytes, int]]:
        numbers = _partitions(topic, without)
        query = (
            "SELECT due_us, topic_id, schedule_id FROM schedule WHERE topic_id = ? AND due_us <= ?"
            f" AND partition NOT IN ({','.join('?' * len(numbers))})"
            " ORDER BY due_us, schedule_id LIMIT ?"
        )
        rows = self._db.execute(query, (topic, upto_us, *numbers, limit))
        return [checked(row, int, bytes, int) for row in rows]

    def next_due_us(self, after_us: int, without: LeftOut = NOTHING) -> int | None:
        nearest: int | None = None
        with self._errors():
            for topic, first_us in self._topics(INTEGER_MAX, without):
                if nearest is not None and first_us >= nearest:
                    break
                numbers = _partitions(topic, without)
                own: int | None = first_us
                if first_us <= after_us or numbers:
                    own = self._next_of(topic, after_us, numbers)
                if own is not None and (nearest is None or own < nearest):
                    nearest = own
        return nearest

    def _next_of(self, topic: bytes, after_us: int, without: set[int]) -> int | None:
        limit = _NEXT_ROWS if without else 1
        query = "SELECT due_us, partition FROM schedule WHERE topic_id = ? AND due_us > ?"
        rows = self._db.execute(f"{query} ORDER BY due_us LIMIT ?", (topic, after_us, limit))
        for number, row in enumerate(rows, 1):
            due_us, partition = checked(row, int, int)
            if partition not in without or number == limit:
                return int(due_us)
        return None

    def page(
        self, topic_id: int, after_us: int, after_id: int, limit: int, max_bytes: int = ANY_BYTES
    ) -> list[Row]:
        where = (
            "INDEXED BY by_time WHERE topic_id = ? AND due_us >= ?"
            " AND (due_us, schedule_id) > (?, ?) ORDER BY due_us, schedule_id LIMIT ?"
        )
        after_us, after_id = _bounded(after_us), _bounded(after_id)
        values = (to_blob(topic_id), after_us, after_us, after_id, limit)
        return [due.row for due in self._rows(where, values, max_bytes)]

    def oldest(self, topic_id: int, limit: int, max_bytes: int) -> list[Row]:
        where = "WHERE topic_id = ? ORDER BY position LIMIT ?"
        return [due.row for due in self._rows(where, (to_blob(topic_id), limit), max_bytes)]

    def check_none_before(self, topic_id: int, offset: int) -> None:
        with self._errors():
            found = self._db.execute(_BEFORE, (to_blob(topic_id), offset, offset)).fetchone()
        if found is not None:
            raise IndexDamaged(f"{self._path}: schedule {found[0]} is not in its place by position")

    # The end

    def forget(self, topic_id: int) -> None:
        with self._transaction():
            for table in ("firing", "schedule", "topic"):
                self._db.execute(f"DELETE FROM {table} WHERE topic_id = ?", (to_blob(topic_id),))

    def reset(self) -> None:
        self.close()
        self._remove()
        self._inspection = Inspection(self._path)
        self._db = self._open()

    def close(self) -> None:
        self._inspection.give_up()
        self._db.close()


def _bounded(number: int) -> int:
    """What clients may ask for is larger than SQLite's integers; what there is, is not."""
    return min(number, INTEGER_MAX)


def _partitions(topic: bytes, without: LeftOut) -> set[int]:
    """The partitions of a topic that are left out."""
    return {number for topic_id, number in without.partitions if to_blob(topic_id) == topic}
