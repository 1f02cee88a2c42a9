"""Reading a topic as a queue: leases, settlements, dead records.

Payloads named *tokens* and *runs* are packed as ``tapemq.wire.entries`` says.
"""

from typing import NamedTuple

from tapemq.wire.fields import Settings


class Consume(NamedTuple):
    """Take records of a topic as a worker of a queue group. Answered by Done; then come leases.

    ``subscription`` is the client's number for it, unique in the connection (streams' included).
    A group that does not exist is created, at ``start``, with ``settings``; both mean nothing for
    one that does. ``consumer`` names the worker for people. Credit: how many records, and bytes of
    payload, may be leased before more is granted.
    """

    subscription: int
    topic_id: int
    group: str
    consumer: str = ""
    start: str = "earliest"
    start_value: int = 0
    credit_records: int = 0
    credit_bytes: int = 0
    settings: Settings = {}  # noqa: RUF012  (a NamedTuple default; never mutated)
    deadline_ms: int = 0


class Leased(NamedTuple):
    """Push: these records are this consumer's for ``lease_ms``. Payload: batches that hold them.

    ``runs`` are the leased offsets; other records of the payload are not this consumer's.
    ``failures``, ``crashes`` and ``deliveries`` are of each of these records until now.
    """

    subscription: int
    partition: int
    lease_id: int
    runs: bytes
    lease_ms: int
    failures: int = 0
    crashes: int = 0
    deliveries: int = 0


class Settle(NamedTuple):
    """Settle leased records. Payload: tokens. Answered by Settled once it is on disk.

    ``verb``: "ack" (done), "nack" (failed: comes back after ``delay_ms``, or, ``by_policy``, when
    the group's policy says), "reject" (dead now) or "release" (given back, counts as nothing).
    ``reason`` and ``error`` are kept with what is nacked or rejected.
    """

    subscription: int
    verb: str
    by_policy: bool = True
    delay_ms: int = 0
    reason: str = ""
    error: str = ""
    deadline_ms: int = 0


class Settled(NamedTuple):
    """What was asked for is done, but for the ``lost`` records in the payload (tokens).

    Their leases are not held any more, so nothing was settled of them.
    """

    lost: int = 0


class Started(NamedTuple):
    """Client: work on these records has begun. Payload: tokens. Not answered.

    If the client crashes now, it counts as a crash of theirs.
    """

    subscription: int


class Extend(NamedTuple):
    """Hold these records (payload: tokens) for ``lease_ms`` from now on (0: as long as each was
    leased for).

    Answered by Settled at once: nothing of it is on disk.
    """

    subscription: int
    lease_ms: int = 0
    deadline_ms: int = 0


class LeaseLost(NamedTuple):
    """Push: the leases of these records (payload: tokens) were taken back, and why."""

    subscription: int
    reason: str


class DescribeQueue(NamedTuple):
    """State of a queue group on one partition. Answered by Queue."""

    topic_id: int
    group: str
    partition: int
    deadline_ms: int = 0


class Queue(NamedTuple):
    """A queue group on one partition.

    Everything below ``ack_floor`` is settled, everything from ``cursor`` on was never handed out,
    ``visible`` is where the log ends for readers. Counts of records now: ``ready`` to be handed
    out, ``leased``, ``retrying`` (waiting), ``dead``, ``settled_above_floor``. Totals since the
    broker's start: ``redelivered``, ``acked``, ``failed``, ``crashed``, ``expired``, ``gone``.
    """

    partition: int
    ack_floor: int
    cursor: int
    visible: int
    ready: int
    leased: int
    retrying: int
    dead: int
    settled_above_floor: int
    consumers: int
    credit_records: int
    oldest_unsettled_us: int = 0
    settings: Settings = {}  # noqa: RUF012
    redelivered: int = 0
    acked: int = 0
    failed: int = 0
    crashed: int = 0
    expired: int = 0
    gone: int = 0


class AlterQueue(NamedTuple):
    """Change a queue group's settings on all partitions. Answered by Done."""

    topic_id: int
    group: str
    settings: Settings
    deadline_ms: int = 0


class Explain(NamedTuple):
    """Ask why a queue group is idle, or stuck. Answered by Explanation."""

    topic_id: int
    group: str
    deadline_ms: int = 0


class Explanation(NamedTuple):
    """What a queue group is doing: one word, and sentences for people."""

    state: str
    sentences: list[str]


class ListDead(NamedTuple):
    """Dead records of a partition, from ``after_offset`` on. Answered by DeadPage."""

    topic_id: int
    group: str
    partition: int
    after_offset: int = 0
    reason: str = ""
    deadline_ms: int = 0


class DeadPage(NamedTuple):
    """Dead records. Payload: a msgpack array of maps. ``more``: ask again from ``next_offset``."""

    next_offset: int = 0
    more: bool = False


class Redrive(NamedTuple):
    """Let dead records live again. Payload: runs; empty: by ``reason``, or ``all``.

    ``rate_per_s`` spreads them (0: at once). With ``dry_run`` they are only counted. Answered by
    Affected once it is on disk.
    """

    topic_id: int
    group: str
    partition: int
    reason: str = ""
    all: bool = False
    dry_run: bool = False
    rate_per_s: int = 0
    deadline_ms: int = 0


class Discard(NamedTuple):
    """Forget that records are dead: they stay settled. Fields and answer as of Redrive."""

    topic_id: int
    group: str
    partition: int
    reason: str = ""
    all: bool = False
    dry_run: bool = False
    deadline_ms: int = 0


class Affected(NamedTuple):
    """So many records were meant."""

    records: int
