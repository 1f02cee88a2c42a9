"""Why mutants survive: what they change makes no difference, or none that a test should see."""

from typing import Final

_QUEUE: Final = "broker/tapemq_broker/core/queue"
_STORAGE: Final = "broker/tapemq_broker/storage"
_BATCH: Final = "client/tapemq/batch"
_PUBLISHING: Final = "client/tapemq/publishing"
_STREAMS: Final = "client/tapemq/streams"
_CORE: Final = "broker/tapemq_broker/core"
_SERVER: Final = "broker/tapemq_broker/server"

_LIMIT: Final = "a size that bounds the work of a turn or a cache, not what is done"
_GENERAL: Final = "the short way is not taken, and the general one comes to the same"
_SIZES: Final = "both have the same number of items, so nothing is left to check"
_BITS: Final = "another way to the same bits: the length of the ones at the end"
_AGAIN: Final = "written again by restart() at once"

_CLOSED: Final = "memory that is let go of with the ledger; nobody asks it for this any more"
_DEFAULT: Final = "a default that is given wherever anybody looks at the field"
_SET_LATER: Final = "set by whatever makes a segment's last batch known, before it is looked at"
_COUNTED: Final = "a number that is compared with itself from before, however much it grows"
_MAGIC: Final = "no magic begins one byte behind a bad one"
_NO_HEADER: Final = "a header does not fit in front of the first bytes that are searched"
_NO_SIZE: Final = "no segment is of that size"
_MORE: Final = "more is asked for or looked at than is there, and that is no more"

_UNSET: Final = "written before anybody looks"
_SHAPE: Final = "not put in: without super() the function has another shape (it fails at once then)"
_ALIKE: Final = "an initial value that is in both of what is compared, and cancels out"
_CLOSED_LINK: Final = "a connection that is not open refuses what is asked of it by itself"
_FAILED_ROUND: Final = "either of the two marks by itself keeps any round from beginning"
_DOCUMENT: Final = "protocol.md gives the number, and the test of that document compares them"
_ONE: Final = "with one level both ways choose among the same partitions"

_PAGE: Final = "the first page is written again as a whole all the same"
_FORGOTTEN: Final = "memory, or an open file, that nobody asks for any more"
_AT_LIMIT: Final = "a batch of the very limit: one less or more of it makes no difference"
_TWO: Final = "no segment but the last two is ever dirty"
_UNDER_WAY: Final = "only a read in another thread that is under way sees it"
_LANDMARKS: Final = "landmarks of more of the log than was asked for"

_NUMBER: Final = (
    "_is_behind: header.batch_number > end.next_batch -> header.batch_number >= end.next_batch"
)

_BY_MODULE: Final[dict[str, dict[str, str]]] = {
    f"{_QUEUE}/leases.py": {
        "Leases.set_deadline: deadline > lease.deadline -> deadline >= lease.deadline": (
            "the same deadline is written again"
        ),
        "Leases.grant: 1000 -> 1001": "a millisecond of thirty seconds, within the wheel's step",
        "Leases.expired: deadline > now -> deadline >= now": "one step of the wheel later",
        "Held.runs_to_return: lease.open << 1 -> lease.open >> 1": "as many runs end as begin",
        "module: 500 -> 501": _LIMIT,
        "module: 2500 -> 2501": _LIMIT,
    },
    f"{_QUEUE}/ledger.py": {
        "Ledger.seek: len(self._stale_troubles) + len(self._stale_dead) <= _FORGET_AT_ONCE -> "
        "len(self._stale_troubles) + len(self._stale_dead) < _FORGET_AT_ONCE": _LIMIT,
        "Ledger.seek: self.purge_from = None -> nothing": "the next purge finds none",
        "Ledger.close: self._stale_troubles.clear() -> nothing": _CLOSED,
        "Ledger.close: self._stale_dead.clear() -> nothing": _CLOSED,
        "Ledger.close: self.dead_reasons.clear() -> nothing": _CLOSED,
        "Ledger.close: self.troubled_offsets.clear() -> nothing": _CLOSED,
        "module: 1000 -> 1001": _LIMIT,
    },
    f"{_QUEUE}/lease.py": {
        "Lease.__init__: len(starts) > 1 -> len(starts) >= 1": "one start is the 0 it would be",
        "Lease.take: end - first -> end + first": _GENERAL,
        "Lease._bits: base <= first -> base < first": _GENERAL,
        "Lease._bits: end <= upto -> end < upto": _GENERAL,
        "Lease._runs_of: True -> False": _SIZES,
        "Lease._runs_of: part & -part -> part | -part": _BITS,
        "Lease._runs_of: ~part & part + 1 -> ~part | part + 1": _BITS,
        "Lease._runs_of: 1 -> 2 #3": _BITS,
    },
    f"{_QUEUE}/frontier.py": {
        "Frontier.__init__: self._cursor = 0 -> nothing": _AGAIN,
        "Frontier.__init__: 0 -> 1": _AGAIN,
        "Frontier.restart: o >= floor and o not in revived -> o >= floor or o not in revived": (
            "what is below the floor is passed over, and what lives again counts as settled"
        ),
        "Frontier.restart: self._due.clear() -> nothing": (
            "what is not ready any more is dropped when it comes to the front, doubles, too"
        ),
        "Frontier._skip: cursor < upto -> cursor <= upto": "one look more, at nothing",
    },
    f"{_QUEUE}/settling.py": {
        "Settling.release_all: held.lease.open = 0 -> nothing": (
            "who calls it drops the lease at once"
        ),
        "Settling.release_all: 0 -> 1": "who calls it drops the lease at once",
        "Settling._fail: 1000 -> 1001": "a thousandth of a delay",
    },
    f"{_QUEUE}/settled.py": {
        "end_of_run: 1 -> 2": "all steps down from there to 1 are tried",
        "end_of_run: first += step -> nothing": "all steps down from there to 1 are tried",
        "end_of_run: step *= 2 -> nothing": "as far, in more steps",
        "end_of_run: step > 1 -> step >= 1": "a step of 0 more",
        "Settled.add: next_offset > self.floor -> next_offset >= self.floor": (
            "the floor is raised to where it is"
        ),
        "Settled.add: end - first -> end + first": _GENERAL,
        "Settled.raise_floor: floor >> CHUNK_BITS -> floor << CHUNK_BITS": _MORE,
        "Settled.raise_floor: self.floor >> CHUNK_BITS -> self.floor << CHUNK_BITS": _MORE,
        "Settled.free_from: offset < upto -> offset <= upto": _MORE,
        "Settled.free_until: offset < upto -> offset <= upto": _MORE,
        "Settled.encode: chunk.run_optimize() -> nothing": "the same chunk, in more bytes",
    },
    f"{_STORAGE}/decision.py": {"Pattern.matches: True -> False": _SIZES},
    f"{_STORAGE}/scan.py": {
        "Window.__init__: 0 -> 1": "nothing is buffered yet",
        "resync: 1 -> 2": _MAGIC,
        "_is_zero: size_bytes = WINDOW_BYTES -> nothing": "as far, in more steps",
        "module: 4096 -> 4097": _LIMIT,
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
        "module: 1024 -> 1025": _LIMIT,
        "module: 1024 -> 1025 #1": _LIMIT,
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
        "Segment.create: 1 -> 2": _COUNTED,
        "Segment.append: 1 -> 2": _COUNTED,
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
        "Recovered: 0 -> 1": _DEFAULT,
        "Recovered: 0 -> 1 #1": _DEFAULT,
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
        "_is_copy: True -> False": _SIZES,
    },
    f"{_PUBLISHING}/lane.py": {
        "SentBatch.__init__: self.parts = (b'', b'') -> nothing": _UNSET,
        "SentBatch.__init__: self.size_bytes = 0 -> nothing": _UNSET,
        "SentBatch.__init__: 0 -> 1 #1": _UNSET,
        "SentBatch.__init__: self.checksum = 0 -> nothing": _UNSET,
        "SentBatch.__init__: 0 -> 1 #2": _UNSET,
        "SentBatch.__init__: self.in_flight = False -> nothing": _UNSET,
        "SentBatch.__init__: False -> True #1": _UNSET,
        "Lane.add: batch.room <= item.cost_bytes -> batch.room < item.cost_bytes": (
            "a record that would just fill a batch is in it instead of in the next"
        ),
        "module: 32 -> 33": _DOCUMENT,
    },
    f"{_PUBLISHING}/router.py": {
        "Router.__init__: self._levels = 1 -> nothing": _UNSET,
        "Router.__init__: 1 -> 2": _UNSET,
        "Router._lane_for: self._levels > 1 -> self._levels >= 1": _ONE,
        "Router.link_up: most < self._options.batch_bytes -> most <= self._options.batch_bytes": (
            "the same size anew: an open batch leaves a little earlier"
        ),
    },
    f"{_STREAMS}/intake.py": {
        "Intake.__init__: self._in_hand = 0 -> nothing": _UNSET,
        "Intake.__init__: 0 -> 1": _UNSET,
        "Intake.next_hand: self._hand = None -> nothing": (
            "one that was handed out says the same as the position of its partition"
        ),
        "Intake._next_of_delivery: run.next_offset > assignment.position -> "
        "run.next_offset >= assignment.position": "nothing is handed out of an empty run",
        "Intake._decode: header.next_offset > position -> header.next_offset >= position": (
            "a batch is decoded that is dropped then"
        ),
        "Intake.forget: self.handled(assignment) > assignment.committed -> "
        "self.handled(assignment) >= assignment.committed": (
            "the same is committed once more than need be"
        ),
        "Intake.forget: self._forget_hand(assignment) -> nothing": (
            "it is stopped, and of an assignment that nobody asks for any more"
        ),
    },
    f"{_STREAMS}/committer.py": {
        "Committer._commit: connection is None or not connection.is_open -> "
        "connection is None and (not connection.is_open)": _CLOSED_LINK,
        "Committer._commit: raise ConnectionLost('not connected') -> nothing": _CLOSED_LINK,
        "Committer._hand_over: connection is not None and connection.is_open -> "
        "connection is not None or connection.is_open": (
            "a loss just then: what is not committed is handed out again, as after any other"
        ),
        "Committer.finish_quietly: log.warning('%s: the last commit was not confirmed', "
        "self._subscrib... -> nothing": "a word in the log",
    },
    f"{_STREAMS}/hand_out.py": {
        "Handing.take_batch: 0 -> 1": "a value is kept until the function returns",
        "Handing.stop: 0 -> 1": "a value is kept until the function returns",
        "HandOut.__init__: super().__init__(batch) -> nothing": _SHAPE,
    },
    f"{_STREAMS}/credit.py": {
        "Credit.__init__: 1 -> 2 #1": "no delivery is of one byte",
    },
    f"{_CORE}/producers.py": {
        "_Producer.__init__: self.next_sequence = 0 -> nothing": _UNSET,
        "_Producer.__init__: 0 -> 1": _UNSET,
        "_Producer.__init__: self.last_time_us = 0 -> nothing": _UNSET,
        "_Producer.__init__: 0 -> 1 #1": _UNSET,
        "_Producer.__init__: self.heard_at = 0 -> nothing": _UNSET,
        "_Producer.__init__: 0 -> 1 #2": _UNSET,
        "_Producer.last_offset: 1 -> 2 #1": "below all offsets, too",
        "_Producer.newest_first: 0 -> 1": "in steps of three, both end at the same",
        "_Producer.forget_from: self.heard_at = offset -> nothing": (
            "what was forgotten is looked for again, in vain"
        ),
        "Producers.forget_empty: known.in_log.heard_at = known.heard_at -> nothing": (
            "nothing is taken back that was in the log at its opening; all else comes behind it"
        ),
        "Producers._evict: known.last_time_us >= idle_before_us -> "
        "known.last_time_us > idle_before_us": "a microsecond of a day",
        "_judge_repeat: first > known.next_sequence -> first >= known.next_sequence": (
            "the next one was let through before"
        ),
        "_judge_repeat: first < batch.next_sequence -> first <= batch.next_sequence": (
            "the batch that begins there was looked at before"
        ),
        "module: 10000 -> 10001": _DOCUMENT,
    },
    f"{_CORE}/sharing.py": {
        "Sharing._replace: 0 -> 1": "where all of a subscription ends no partition is looked at",
        "module: 0 -> 1": "nothing is read of a damaged partition",
    },
    f"{_CORE}/subscription.py": {
        "Subscription.wake: reader is not self._sending and reader.is_behind -> "
        "reader is not self._sending or reader.is_behind": (
            "who has nothing is passed over when its turn comes"
        ),
        "Subscription.__init__: False -> True": _DEFAULT,
        "module: 512 -> 513": _LIMIT,
        "module: 1024 -> 1025": _LIMIT,
    },
    f"{_SERVER}/settlements.py": {
        "_Session.__init__: 0 -> 1": _COUNTED,
        "Settlements.begin: 1 -> 2": _COUNTED,
    },
    f"{_SERVER}/receipts.py": {
        "_Waiting.__init__: super().__init__(request) -> nothing": _SHAPE,
        "Receipts.__init__: 0 -> 1": _COUNTED,
        "Receipts._keep_deadline: 1 -> 2": _COUNTED,
        "Receipts._sweep: len(self._deadlines) >= self._sweep_at -> "
        "len(self._deadlines) > self._sweep_at": _LIMIT,
        "Receipts._sweep: 2 -> 3": _LIMIT,
        "module: 1024 -> 1025": _LIMIT,
    },
    f"{_SERVER}/deliveries.py": {
        "Deliveries.wake: len(readers) <= _READERS_AT_ONCE -> len(readers) < _READERS_AT_ONCE": (
            _LIMIT
        ),
        "Deliveries.start: self._budget <= 0 -> self._budget < 0": _LIMIT,
        "Deliveries.start: 0 -> 1": _LIMIT,
        "Deliveries._turn: self._budget > 0 -> self._budget >= 0": _LIMIT,
        "Deliveries._turn: 0 -> 1": _LIMIT,
        "module: 8 -> 9": _LIMIT,
        "module: 256 -> 257": _LIMIT,
        "module: 2 * 1024 * 1024 -> 2 * 1024 // 1024": _LIMIT,
        "module: 2 -> 3": _LIMIT,
        "module: 1024 -> 1025": _LIMIT,
        "module: 1024 -> 1025 #1": _LIMIT,
        "module: 64 -> 65": _LIMIT,
        "module: 1024 -> 1025 #2": _LIMIT,
    },
    f"{_SERVER}/flow.py": {
        "Flow._share_bytes: 1 -> 2": "no frame is of one byte",
        "module: 1 -> 2": "a second until the next attempt, more or less",
        "module: 30 -> 31": "the mark of disks that are larger than any of a test",
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
        "_tables: 32 -> 33": _MORE,
        "_tables: 8 -> 9": _MORE,
        "_table: 0 -> 1": _ALIKE,
        "module: 16 * 1024 -> 16 // 1024": "the tests set the size of a step",
        "module: 16 -> 17": _LIMIT,
        "module: 1024 -> 1025": _LIMIT,
        "module: 64 -> 65": _LIMIT,
    },
    f"{_BATCH}/body.py": {
        "encode_parts: data_bytes > RECORD_BYTES_MAX -> data_bytes >= RECORD_BYTES_MAX": (
            "where all data is just as long as a record may be, no record is longer"
        ),
        "decode_runs: 1 -> 2": _LIMIT,
        "module: 1024 -> 1025": _LIMIT,
    },
    f"{_BATCH}/header.py": {
        "Header: 0 -> 1": "the default of a field that encode() does not look at",
    },
    f"{_BATCH}/lengths.py": {
        "Lengths._decode: self.missing = 0 -> nothing": (
            "it is 0 already unless the first entry is missing, and is counted then"
        ),
        "Lengths.longest: 0 -> 1 #1": "never needed: a column of missing entries is not decoded",
        "_Pieces.__missing__: len(self) >= _PIECES_MAX -> len(self) > _PIECES_MAX": _LIMIT,
        "module: 512 -> 513": _LIMIT,
        "module: 4096 -> 4097": _LIMIT,
    },
}

REASONS: Final = {
    (path, name): reason for path, names in _BY_MODULE.items() for name, reason in names.items()
}
"""By the module's path and the mutant's name."""
