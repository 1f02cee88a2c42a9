"""What must happen after a command or an event, in the order of the list.

The core decides and returns effects; the server carries them out one by one. So "persist before
acknowledge" is a matter of types: an answer that needs the disk is a ReplyWhenDurable. It comes
last, so that nothing but the answer is lost where a full disk keeps it from being given.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tapemq.batch import Kind, LogId
from tapemq_broker.core.refusal import Refusal
from tapemq_broker.core.results import Result, TopicInfo


class Request(NamedTuple):
    """Whom to answer. ``correlation`` is the session's business; ``deadline`` monotonic seconds."""

    session: int
    correlation: int
    deadline: float | None = None


class SubscriptionKey(NamedTuple):
    """A subscription of a session."""

    session: int
    subscription: int


class Append(NamedTuple):
    """Append a batch; its records get offsets from ``base_offset`` on."""

    log: LogId
    kind: Kind
    base_offset: int
    record_count: int
    body: bytes | memoryview
    body_checksum: int


class PutState(NamedTuple):
    """Write entries of a state log (None removes one)."""

    log: LogId
    changes: Mapping[bytes, bytes | None]


class Change(NamedTuple):
    """Write entries of state logs: all of them or, where a full disk refuses one, none.

    Once they are written (not on disk yet), ``then`` changes the core and says what follows. Else
    the request is refused, and the core is as it was: the command may come again.
    """

    request: Request
    puts: Sequence[PutState]
    then: Callable[[], "Effects"]


class Journal(NamedTuple):
    """Write entries of a schedule log, from ``base_offset`` on.

    Once they are written (not on disk yet), ``then``, called with their offset, changes the core
    and says what follows. If a full disk refuses them the core stays as it was, and so is the
    request refused that they are for, if any.
    """

    log: LogId
    base_offset: int
    record_count: int
    body: bytes
    body_checksum: int
    then: Callable[[int], "Effects"]
    request: Request | None = None
    kind: Kind = Kind.SCHEDULE


class Reply(NamedTuple):
    """Answer now."""

    request: Request
    result: Result | Refusal


class ReplyWhenDurable(NamedTuple):
    """Answer once ``log`` is on disk up to ``offset`` (None: up to all that was put in it)."""

    log: LogId
    offset: int | None
    request: Request
    result: Result


class Deliver(NamedTuple):
    """Read from ``offset`` and send it; then report delivered(), or undeliverable().

    Whole batches: the first contains ``offset``, the last begins before ``upto`` (which may be
    inside of it: credit is counted in records). About ``max_bytes``, but at least one batch.
    One that is_wanted() no more (while it was put off, or read) need not be sent nor reported.
    """

    key: SubscriptionKey
    log: LogId
    generation: int
    offset: int
    upto: int
    max_bytes: int


class Assign(NamedTuple):
    """Tell a subscription that it reads a partition from now on."""

    key: SubscriptionKey
    partition: int
    generation: int
    offset: int
    seek_epoch: int


class Revoke(NamedTuple):
    """Tell a subscription to let go of a partition."""

    key: SubscriptionKey
    partition: int
    generation: int
    within_s: float


class Detach(NamedTuple):
    """Tell a subscription that it reads a partition no more, and why."""

    key: SubscriptionKey
    partition: int
    generation: int
    reason: Refusal


class DeliverLease(NamedTuple):
    """Read leased records and send them; then report lease_sent(), or lease_failed().

    ``runs`` are (first, next) pairs, ascending and disjoint, at most 256. Send about ``max_bytes``,
    but at least one record; what was not sent is ready again. Records that were appended more than
    ``max_age_ms`` ago (0: no limit), or have expired, are not sent but reported, unless they were
    dead and somebody wants them to ``lives_again``. Of each record, ``failures`` and ``crashes``
    are counted so far, and so often it was handed out before. One that queues.is_wanted() no more
    need not be sent nor reported.
    """

    key: SubscriptionKey
    log: LogId
    lease_id: int
    runs: Sequence[tuple[int, int]]
    lease_s: float
    failures: int
    crashes: int
    deliveries: int
    max_bytes: int
    max_age_ms: int = 0
    lives_again: bool = False


class TakeBack(NamedTuple):
    """Tell a subscription that it has lost leases, and why.

    ``tokens`` are (lease id, first offset, count).
    """

    key: SubscriptionKey
    tokens: Sequence[tuple[int, int, int]]
    reason: str


class ReadKeys(NamedTuple):
    """Read the keys of the records from ``first`` up to ``upto``; then report keys_read()."""

    log: LogId
    group: str
    first: int
    upto: int


class StateChanged(NamedTuple):
    """What the core keeps in this state log has changed.

    Before the next round of syncs begins, write what take_changes() says: for all logs of which
    this was said, so that one round makes all of it durable. A full disk lets it wait.
    """

    log: LogId


class WhenDurable(NamedTuple):
    """Go on with ``then`` once all that was put or changed in this state log is on disk.

    Where that leads to the answer to a ``request``, this is refused at its deadline, or when the
    log is removed. After its deadline it is ``unasked`` that goes on, which answers nobody.
    """

    log: LogId
    then: Callable[[], "Effects"]
    request: Request | None = None
    unasked: Callable[[], "Effects"] | None = None


class Later(NamedTuple):
    """Go on with ``then`` in another turn of the event loop: others come first."""

    then: Callable[[], "Effects"]


class PrepareTopic(NamedTuple):
    """Create the logs of partitions from ``first_partition`` on; then report topic_prepared()."""

    topic: TopicInfo
    first_partition: int


class Reconfigure(NamedTuple):
    """A topic has other settings: those of its logs hold from now on."""

    topic: TopicInfo


class RemoveTopic(NamedTuple):
    """Remove the logs of a topic, once the catalog has forgotten it durably."""

    topic: TopicInfo


class TruncateFront(NamedTuple):
    """Remove whole segments below ``offset``."""

    log: LogId
    offset: int


Effect = (
    Append
    | PutState
    | Change
    | Journal
    | Reply
    | ReplyWhenDurable
    | Deliver
    | Assign
    | Revoke
    | Detach
    | DeliverLease
    | TakeBack
    | ReadKeys
    | StateChanged
    | WhenDurable
    | Later
    | PrepareTopic
    | Reconfigure
    | RemoveTopic
    | TruncateFront
)
Effects = list[Effect]
