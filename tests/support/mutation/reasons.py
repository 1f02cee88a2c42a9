"""Why mutants survive: what they change makes no difference, or none that a test should see."""

from typing import Final

_QUEUE: Final = "broker/tapemq_broker/core/queue"
_STORAGE: Final = "broker/tapemq_broker/storage"
_BATCH: Final = "client/tapemq/batch"

_LIMIT: Final = "a size that bounds the work of a turn or a cache, not what is done"
_GENERAL: Final = "the short way is not taken, and the general one comes to the same"
_SIZES: Final = "both have the same number of items, so nothing is left to check"
_BITS: Final = "another way to the same bits: the length of the ones at the end"
_AGAIN: Final = "written again by restart() at once"

_NUMBER: Final = (
    "_is_behind: header.batch_number > end.next_batch -> header.batch_number >= end.next_batch"
)

_BY_MODULE: Final[dict[str, dict[str, str]]] = {
    f"{_QUEUE}/leases.py": {
        "Leases.set_deadline: deadline > lease.deadline -> deadline >= lease.deadline": (
            "the same deadline is written again"
        ),
        "Leases.expired: 1000 -> 1001": "a millisecond of thirty seconds, within the wheel's step",
        "Leases.expired: deadline > now -> deadline >= now": "one step of the wheel later",
        "module: 500 -> 501": _LIMIT,
    },
    f"{_QUEUE}/lease.py": {
        "Lease.__init__: len(starts) > 1 -> len(starts) >= 1": "one start is the 0 it would be",
        "Lease.take: end - first -> end + first": _GENERAL,
        "Lease._bits: base <= first -> base < first": _GENERAL,
        "Lease._bits: end <= upto -> end < upto": _GENERAL,
        "Lease._bits: 1 -> 2 #2": "the search begins one run earlier",
        "Lease._bits: base >= end -> base > end": "a run behind the end adds no bits",
        "Lease._bits: break -> nothing": "runs behind the end add no bits",
        "Lease._bits: low < high -> low <= high": "no offsets, so no bits",
        "Lease._runs_of: True -> False": _SIZES,
        "Lease._runs_of: part & -part -> part | -part": _BITS,
        "Lease._runs_of: ~part & part + 1 -> ~part | part + 1": _BITS,
        "Lease._runs_of: 1 -> 2 #3": _BITS,
    },
    f"{_QUEUE}/frontier.py": {
        "Frontier.__init__: self._cursor = 0 -> nothing": _AGAIN,
        "Frontier.__init__: 0 -> 1": _AGAIN,
        "Frontier._skip: cursor < upto -> cursor <= upto": "one look more, at nothing",
    },
    f"{_QUEUE}/settling.py": {
        "Settling.release_all: held.lease.open = 0 -> nothing": (
            "who calls it drops the lease at once"
        ),
        "Settling.release_all: 0 -> 1": "who calls it drops the lease at once",
        "Settling._fail: 1000 -> 1001": "a thousandth of a delay",
    },
    f"{_STORAGE}/evidence.py": {
        "_resync_from: 1 -> 2": "no magic begins one byte behind a bad one",
        _NUMBER: "a batch of the very number claims nothing about itself",
    },
    f"{_STORAGE}/rewriting.py": {
        "rewrite: stop - position -> stop + position": (
            "more is read than is left; the file ends there"
        ),
    },
    f"{_STORAGE}/torn.py": {
        "move_aside: 0 -> 1": "the first page is written again as a whole all the same",
        "_free_path: wanted.time_us + 1 -> wanted.time_us - 1": "another free name",
        "_free_path: 1 -> 2": "another free name",
        "_is_copy: True -> False": _SIZES,
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
