"""Why mutants of the storage survive."""

from typing import Final

LIMIT: Final = "a size that bounds the work of a turn or a cache, not what is done"
SIZES: Final = "both have the same number of items, so nothing is left to check"
DEFAULT: Final = "a default that is given wherever anybody looks at the field"
COUNTED: Final = "a number that is compared with itself from before, however much it grows"
MORE: Final = "more is asked for or looked at than is there, and that is no more"
_STORAGE: Final = "broker/tapemq_broker/storage"
_SET_LATER: Final = "set by whatever makes a segment's last batch known, before it is looked at"
_MAGIC: Final = "no magic begins one byte behind a bad one"
_NO_HEADER: Final = "a header does not fit in front of the first bytes that are searched"
_NO_SIZE: Final = "no segment is of that size"
_ALIKE: Final = "an initial value that is in both of what is compared, and cancels out"
_FAILED_ROUND: Final = "either of the two marks by itself keeps any round from beginning"
_PAGE: Final = "the first page is written again as a whole all the same"
_FORGOTTEN: Final = "memory, or an open file, that nobody asks for any more"
_AT_LIMIT: Final = "a batch of the very limit: one less or more of it makes no difference"
_TWO: Final = "no segment but the last two is ever dirty"
_UNDER_WAY: Final = "only a read in another thread that is under way sees it"
_SAME_TIME: Final = "the same time is found once more"
_ASKED_AGAIN: Final = "the next batch is asked for again, with the same answer, up to the limit"
_LANDMARKS: Final = "landmarks of more of the log than was asked for"
_NUMBER: Final = (
    "_is_behind: header.batch_number > end.next_batch -> header.batch_number >= end.next_batch"
)

STORAGE: Final[dict[str, dict[str, str]]] = {
    f"{_STORAGE}/decision.py": {"Pattern.matches: True -> False": SIZES},
    f"{_STORAGE}/scan.py": {
        "Window.__init__: 0 -> 1": "nothing is buffered yet",
        "resync: 1 -> 2": _MAGIC,
        "_is_zero: size_bytes = WINDOW_BYTES -> nothing": "as far, in more steps",
        "module: 4096 -> 4097": LIMIT,
        "_find_magic: 1 -> 2": "a piece is never so short",
        "_find_magic: len(piece) - len(MAGIC) + 1 -> len(piece) - len(MAGIC) - 1": (
            "two bytes are looked at twice"
        ),
        "last_batch: 0 -> 1 #1": "the same bytes are searched again, in vain",
        "_batch_ending_at: end - start -> end + start": "a batch behind the end ends elsewhere",
        "_batch_ending_at: found >= 0 -> found > 0": _NO_HEADER,
        "_batch_ending_at: 0 -> 1": _NO_HEADER,
        "_batch_ending_at: 0 -> 1 #1": _NO_HEADER,
        "_batch_ending_at: found + len(wanted) -> found - len(wanted)": (
            "a body would have to begin with the checksum of its own header"
        ),
        "_batch_ending_at: 1 -> 2": "a checksum would have to be of four equal bytes",
        "module: 1024 -> 1025": LIMIT,
        "module: 1024 -> 1025 #1": LIMIT,
    },
    f"{_STORAGE}/survey.py": {
        "Survey._misfit: base < self.end.next_offset -> base <= self.end.next_offset": (
            "where both are the same, nobody asks"
        ),
        "Proof: False -> True": "only the proof that was sought out is asked, and it says so",
        "module: -1 -> 1": _NO_SIZE,
        "module: 1 -> 2": _NO_SIZE,
    },
    f"{_STORAGE}/replay.py": {
        "Replay._ends_at: break -> nothing": (
            "more ends are compared with, and a sound state fits none of them"
        ),
        "Replay._ends_at: position += found.header.batch_bytes -> "
        "position -= found.header.batch_bytes": (
            "in memory, a place in front of a file counts from its end; all marks are of one size"
        ),
        "Replay._replay: offset <= base < end.next_offset -> offset <= base <= end.next_offset": (
            "a segment that begins at the end has nothing in front of it"
        ),
    },
    f"{_STORAGE}/opening.py": {
        "open_log: recovered = recovered._replace(segments=recovered.segments[-1:]) -> nothing": (
            _FORGOTTEN
        ),
        "open_log: -1 -> 1 #2": _FORGOTTEN,
        "open_log: 1 -> 2 #2": _FORGOTTEN,
        "_index_of_last: 0 -> 1": _NO_SIZE,
        "_bring_states_to_disk: 0 -> 1": _PAGE,
    },
    f"{_STORAGE}/side_files.py": {
        "SideFiles.seal: self._cache.indexes.put(segment.index_path, index) -> nothing": (
            "it is read from its file when it is asked for"
        ),
    },
    f"{_STORAGE}/log.py": {
        "Log.__init__: 1 -> 2": "any number below that of the first batch",
        "Log.append: size_bytes > BODY_BYTES_MAX -> size_bytes >= BODY_BYTES_MAX": _AT_LIMIT,
        "Log.append: 0 < batch.record_count <= COUNT_MAX -> 0 < batch.record_count < COUNT_MAX": (
            _AT_LIMIT
        ),
        "Log.append: HEADER_BYTES + size_bytes > room_bytes -> "
        "HEADER_BYTES + size_bytes >= room_bytes": _AT_LIMIT,
        "Log.roll: raise -> nothing": "the log has failed, and what is appended next says so",
        "Log.begin_sync: 2 -> 3": _TWO,
        "Log._sync_now: 2 -> 3": _TWO,
        "Log.truncate_front: segment.is_removed = True -> nothing": _UNDER_WAY,
        "Log.truncate_front: True -> False": _UNDER_WAY,
        "Log.truncate_front: self._cache.forget([segment.path for segment in removed]) -> "
        "nothing": _FORGOTTEN,
        "Log.truncate_front: self._cache.indexes.drop(*[segment.index_path for segment in "
        "removed]) -> nothing": _FORGOTTEN,
        "Log.landmarks: covered < covering_bytes -> covered <= covering_bytes": _LANDMARKS,
        "Log.landmarks: 1 -> 2": _LANDMARKS,
        "Log.landmarks: covered += self._segments[number].size_bytes -> "
        "covered -= self._segments[number].size_bytes": _LANDMARKS,
        "Log.landmarks: covered += self._segments[number].size_bytes -> nothing": _LANDMARKS,
        "Log.close: segment.release() -> nothing": _FORGOTTEN,
        "Log._close_cleanly: last.index or Index() -> last.index and Index()": (
            "without entries, batches are walked through"
        ),
    },
    f"{_STORAGE}/clean.py": {
        "_rows: len(data) < _HEAD.size -> len(data) <= _HEAD.size": "no rows cannot be read either",
    },
    f"{_STORAGE}/segment.py": {
        "Segment.__init__: self.last_position = 0 -> nothing": _SET_LATER,
        "Segment.__init__: 0 -> 1 #1": _SET_LATER,
        "Segment.__init__: 0 -> 1 #2": "one sync more of what is there already",
        "Segment.__init__: False -> True": "its file is opened anew for each read",
        "Segment.create: 1 -> 2": COUNTED,
        "Segment.append: 1 -> 2": COUNTED,
    },
    f"{_STORAGE}/diagnosis.py": {
        "diagnose: 0 -> 1 #1": "an epoch above another one is 1 at least",
    },
    f"{_STORAGE}/recovery.py": {
        "_Recovery._fits: 0 -> 1 #1": "a sound index without its segment refuses the log before",
        "_Recovery._cut: self._disk.sync_directory(self._files.directory) -> nothing": (
            "it is synced once more before the mark; a crash before that finds the segments "
            "behind the cut again, and sets them aside again"
        ),
        "Recovered: 0 -> 1": DEFAULT,
        "Recovered: 0 -> 1 #1": DEFAULT,
    },
    f"{_STORAGE}/evidence.py": {
        "_resync_from: 1 -> 2": _MAGIC,
        _NUMBER: "a batch of the very number claims nothing about itself",
    },
    f"{_STORAGE}/rewriting.py": {
        "rewrite: stop - position -> stop + position": (
            "more is read than is left; the file ends there"
        ),
    },
    f"{_STORAGE}/torn.py": {
        "move_aside: 0 -> 1": _PAGE,
        "_free_path: wanted.time_us + 1 -> wanted.time_us - 1": "another free name",
        "_free_path: 1 -> 2": "another free name",
        "_is_copy: True -> False": SIZES,
    },
    f"{_STORAGE}/flusher.py": {
        "Flusher._fail: self._has_failed = True -> nothing": _FAILED_ROUND,
        "Flusher._fail: True -> False": _FAILED_ROUND,
        "Flusher._fail: self._is_running = True -> nothing": _FAILED_ROUND,
        "Flusher._fail: True -> False #1": _FAILED_ROUND,
    },
    f"{_STORAGE}/remover.py": {
        "Remover._is_done: log.warning('%s is not removed yet: %s', path, error) -> nothing": (
            "a word in the log"
        ),
    },
    f"{_STORAGE}/retention.py": {"retained_from: 0 -> 1": "without a limit nobody looks at it"},
    f"{_STORAGE}/running_checksum.py": {
        "RunningChecksum.__init__: 0 -> 1": _ALIKE,
        "_tables: 32 -> 33": MORE,
        "_tables: 8 -> 9": MORE,
        "_table: 0 -> 1": _ALIKE,
        "module: 16 * 1024 -> 16 // 1024": "the tests set the size of a step",
        "module: 16 -> 17": LIMIT,
        "module: 1024 -> 1025": LIMIT,
        "module: 64 -> 65": LIMIT,
    },
    f"{_STORAGE}/schedules/columns.py": {
        "module: 1 -> 2": "nobody asks for SQLite's largest number itself",
    },
    f"{_STORAGE}/schedules/sqlite_index.py": {
        "module: 3 -> 4": "a version by any other number",
        **{f"module: 1024 -> 1025{n}": LIMIT for n in ("", " #1", " #2")},
        **{f"module: 16 * 1024 -> 16 // 1024{n}": LIMIT for n in ("", " #1")},
        **{f"module: 16 -> 17{n}": LIMIT for n in ("", " #1")},
        "module: _JOURNAL_PAGES * 4096 -> _JOURNAL_PAGES // 4096": LIMIT,
        "module: 4096 -> 4097": LIMIT,
        "SqliteScheduleIndex._connect: False -> True": "the broker makes all calls in one thread",
        "SqliteScheduleIndex._connect: db.execute('PRAGMA synchronous = NORMAL') -> nothing": (
            "SQLite's default syncs more often, and keeps as much"
        ),
        "SqliteScheduleIndex._connect: db.execute(f'PRAGMA cache_size = -{_CACHE_KIB}') -> "
        "nothing": LIMIT,
        "SqliteScheduleIndex._connect: db.close() -> nothing": _FORGOTTEN,
        "SqliteScheduleIndex._rows: cursor.close() -> nothing": _FORGOTTEN,
        "SqliteScheduleIndex.next_due_us: first_us >= nearest -> first_us > nearest": _SAME_TIME,
        "SqliteScheduleIndex.next_due_us: own < nearest -> own <= nearest": _SAME_TIME,
        "SqliteScheduleIndex.next_due_us: break -> nothing": MORE,
        "SqliteScheduleIndex._next_of: 1 -> 2": MORE,
    },
    f"{_STORAGE}/schedules/inspection.py": {
        "Inspection._look: True -> False": "SQLite may be built to take addresses anyway",
        "module: 10000 -> 10001": LIMIT,
    },
    f"{_STORAGE}/reading.py": {
        "ReadPlan._end_of_segment: reader.next_offset > offset -> reader.next_offset >= offset": (
            "no plan reads a segment that ends where it begins to read"
        ),
        "_Taken.take: break -> nothing": _ASKED_AGAIN,
        **{f"_Taken._take_one: False -> True{n}": _ASKED_AGAIN for n in ("", " #1", " #2", " #3")},
        "_Taken._take_one: self.record_count > 0 -> self.record_count >= 0": (
            "what is larger than was asked for is read once more, by itself"
        ),
        "_Taken._take_one: 0 -> 1": MORE,
        "module: 512 -> 513": LIMIT,
    },
}
