"""Why mutants survive: what they change makes no difference, or none that a test should see."""

from typing import Final

_GALLOP: Final = "the search takes other steps to the same end"
_LIMIT: Final = "a size that bounds the work of a turn, not what is done"
_SETTLED: Final = "broker/tapemq_broker/core/queue/settled.py"
_LEASES: Final = "broker/tapemq_broker/core/queue/leases.py"
_HEADER: Final = "client/tapemq/batch/header.py"
_REWRITING: Final = "broker/tapemq_broker/storage/rewriting.py"

REASONS: Final = {
    (_LEASES, "Leases.set_deadline: deadline > lease.deadline -> deadline >= lease.deadline"): (
        "the same deadline is written again"
    ),
    (_LEASES, "Leases.expired: 1000 -> 1001"): _LIMIT,
    (_LEASES, "module: 500 -> 501"): _LIMIT,
    (_REWRITING, "rewrite: stop - position -> stop + position"): (
        "more is read than is left; the file ends there, so the piece is the same"
    ),
}
"""By the module's path and the mutant's name."""
