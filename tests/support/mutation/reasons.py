"""Why mutants survive: what they change makes no difference, or none that a test should see."""

from typing import Final

from tests.support.mutation.storage_reasons import COUNTED, DEFAULT, LIMIT, MORE, SIZES, STORAGE

_QUEUE: Final = "broker/tapemq_broker/core/queue"
_BATCH: Final = "client/tapemq/batch"
_PUBLISHING: Final = "client/tapemq/publishing"
_STREAMS: Final = "client/tapemq/streams"
_CORE: Final = "broker/tapemq_broker/core"
_SERVER: Final = "broker/tapemq_broker/server"
_GENERAL: Final = "the short way is not taken, and the general one comes to the same"
_BITS: Final = "another way to the same bits: the length of the ones at the end"
_AGAIN: Final = "written again by restart() at once"
_CLOSED: Final = "memory that is let go of with the ledger; nobody asks it for this any more"
_UNSET: Final = "written before anybody looks"
_SHAPE: Final = "not put in: without super() the function has another shape (it fails at once then)"
_CLOSED_LINK: Final = "a connection that is not open refuses what is asked of it by itself"
_DOCUMENT: Final = "protocol.md gives the number, and the test of that document compares them"
_ONE: Final = "with one level both ways choose among the same partitions"

_BY_MODULE: Final[dict[str, dict[str, str]]] = {
    **STORAGE,
    f"{_QUEUE}/leases.py": {
        "Leases.set_deadline: deadline > lease.deadline -> deadline >= lease.deadline": (
            "the same deadline is written again"
        ),
        "Leases.grant: 1000 -> 1001": "a millisecond of thirty seconds, within the wheel's step",
        "Leases.expired: deadline > now -> deadline >= now": "one step of the wheel later",
        "Held.runs_to_return: lease.open << 1 -> lease.open >> 1": "as many runs end as begin",
        "module: 500 -> 501": LIMIT,
        "module: 2500 -> 2501": LIMIT,
    },
    f"{_QUEUE}/ledger.py": {
        "Ledger.seek: len(self._stale_troubles) + len(self._stale_dead) <= _FORGET_AT_ONCE -> "
        "len(self._stale_troubles) + len(self._stale_dead) < _FORGET_AT_ONCE": LIMIT,
        "Ledger.seek: self.purge_from = None -> nothing": "the next purge finds none",
        "Ledger.close: self._stale_troubles.clear() -> nothing": _CLOSED,
        "Ledger.close: self._stale_dead.clear() -> nothing": _CLOSED,
        "Ledger.close: self.dead_reasons.clear() -> nothing": _CLOSED,
        "Ledger.close: self.troubled_offsets.clear() -> nothing": _CLOSED,
        "module: 1000 -> 1001": LIMIT,
    },
    f"{_QUEUE}/lease.py": {
        "Lease.__init__: len(starts) > 1 -> len(starts) >= 1": "one start is the 0 it would be",
        "Lease.take: end - first -> end + first": _GENERAL,
        "Lease._bits: base <= first -> base < first": _GENERAL,
        "Lease._bits: end <= upto -> end < upto": _GENERAL,
        "Lease._runs_of: True -> False": SIZES,
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
        "Settled.raise_floor: floor >> CHUNK_BITS -> floor << CHUNK_BITS": MORE,
        "Settled.raise_floor: self.floor >> CHUNK_BITS -> self.floor << CHUNK_BITS": MORE,
        "Settled.free_from: offset < upto -> offset <= upto": MORE,
        "Settled.free_until: offset < upto -> offset <= upto": MORE,
        "Settled.encode: chunk.run_optimize() -> nothing": "the same chunk, in more bytes",
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
        "Subscription.__init__: False -> True": DEFAULT,
        "module: 512 -> 513": LIMIT,
        "module: 1024 -> 1025": LIMIT,
    },
    f"{_SERVER}/settlements.py": {
        "_Session.__init__: 0 -> 1": COUNTED,
        "Settlements.begin: 1 -> 2": COUNTED,
    },
    f"{_SERVER}/receipts.py": {
        "_Waiting.__init__: super().__init__(request) -> nothing": _SHAPE,
        "Receipts.__init__: 0 -> 1": COUNTED,
        "Receipts._keep_deadline: 1 -> 2": COUNTED,
        "Receipts._sweep: len(self._deadlines) >= self._sweep_at -> "
        "len(self._deadlines) > self._sweep_at": LIMIT,
        "Receipts._sweep: 2 -> 3": LIMIT,
        "module: 1024 -> 1025": LIMIT,
    },
    f"{_SERVER}/deliveries.py": {
        "Deliveries.wake: len(readers) <= _READERS_AT_ONCE -> len(readers) < _READERS_AT_ONCE": (
            LIMIT
        ),
        "Deliveries.start: self._budget <= 0 -> self._budget < 0": LIMIT,
        "Deliveries.start: 0 -> 1": LIMIT,
        "Deliveries._turn: self._budget > 0 -> self._budget >= 0": LIMIT,
        "Deliveries._turn: 0 -> 1": LIMIT,
        "module: 8 -> 9": LIMIT,
        "module: 256 -> 257": LIMIT,
        "module: 2 * 1024 * 1024 -> 2 * 1024 // 1024": LIMIT,
        "module: 2 -> 3": LIMIT,
        "module: 1024 -> 1025": LIMIT,
        "module: 1024 -> 1025 #1": LIMIT,
        "module: 64 -> 65": LIMIT,
        "module: 1024 -> 1025 #2": LIMIT,
    },
    f"{_SERVER}/flow.py": {
        "Flow._share_bytes: 1 -> 2": "no frame is of one byte",
        "module: 1 -> 2": "a second until the next attempt, more or less",
        "module: 30 -> 31": "the mark of disks that are larger than any of a test",
    },
    f"{_BATCH}/body.py": {
        "encode_parts: data_bytes > RECORD_BYTES_MAX -> data_bytes >= RECORD_BYTES_MAX": (
            "where all data is just as long as a record may be, no record is longer"
        ),
        "decode_runs: 1 -> 2": LIMIT,
        "module: 1024 -> 1025": LIMIT,
    },
    f"{_BATCH}/header.py": {
        "Header: 0 -> 1": "the default of a field that encode() does not look at",
    },
    f"{_BATCH}/lengths.py": {
        "Lengths._decode: self.missing = 0 -> nothing": (
            "it is 0 already unless the first entry is missing, and is counted then"
        ),
        "Lengths.longest: 0 -> 1 #1": "never needed: a column of missing entries is not decoded",
        "_Pieces.__missing__: len(self) >= _PIECES_MAX -> len(self) > _PIECES_MAX": LIMIT,
        "module: 512 -> 513": LIMIT,
        "module: 4096 -> 4097": LIMIT,
    },
    f"{_SERVER}/unsent.py": {
        "Unsent.__init__: True -> False": "the first turn is new all the same",
    },
}

REASONS: Final = {
    (path, name): reason for path, names in _BY_MODULE.items() for name, reason in names.items()
}
"""By the module's path and the mutant's name."""
