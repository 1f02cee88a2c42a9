"""One message of a queue, without asyncio."""

from tapemq.queues.leased_record import LeasedRecord
from tapemq.queues.outcome import Exceptions, check_exceptions
from tapemq.queues.verdict import ACK, RELEASE, Duration, Verdict, milliseconds, nack, reject
from tapemq.sync.process import Process


class Message(LeasedRecord, frozen=True, gc=True):
    """A record that this consumer holds until it is settled: a Record with verbs.

    Without ``confirm`` a verb returns at once, and what it says goes to the broker together with
    all that is said within a millisecond; one that comes too late is logged and counted
    (``Queue.lost``). With ``confirm`` it returns when it is on disk, and raises LeaseLost if the
    message is not this consumer's any more, IndeterminateError if no answer came. Any thread may
    settle it.

    ``reason`` is a word to choose dead messages by (200 bytes), ``error`` the text of what went
    wrong (1,024 bytes); what is longer is cut. Both stay with the message: see DeadRecord.
    """

    def process(
        self, *, reraise: bool = False, reject_on: Exceptions = (), ignore: Exceptions = ()
    ) -> "Process[Message]":
        """``with message.process()``: settle it by how the block ends.

        Without an exception it is acked. An Exception is logged and the message nacked, to be
        retried by the group's policy; nothing is raised. What ends more than the block, such as a
        cancellation or a KeyboardInterrupt, gives the message back and propagates. What was settled
        in the block stays so.
        tapemq.Retry and tapemq.Reject are exceptions to say it with.

        Args:
            reraise: raise Exceptions, too, after the nack.
            reject_on: exceptions for which trying again is no use: the message is dead.
            ignore: exceptions that count as success. All of these are a class, or a tuple of some.

        Raises:
            TypeError: one of them is neither.
        """
        if reject_on or ignore:
            check_exceptions(reject_on=reject_on, ignore=ignore)
        return Process((self, reraise, reject_on or (), ignore or ()))

    def ack(self, *, confirm: bool = False) -> None:
        """It is done."""
        self._settle(ACK, confirm)

    def nack(
        self,
        *,
        delay: Duration | None = None,
        reason: str = "",
        error: str = "",
        confirm: bool = False,
    ) -> None:
        """It failed: let it come again after ``delay`` (None: by the group's policy)."""
        self._settle(nack(delay, reason, error), confirm)

    def reject(self, *, reason: str = "", error: str = "", confirm: bool = False) -> None:
        """It is dead now: kept, but not delivered until it is redriven."""
        self._settle(reject(reason, error), confirm)

    def release(self, *, confirm: bool = False) -> None:
        """Give it back: it is delivered again at once, and nothing is counted."""
        self._settle(RELEASE, confirm)

    def extend(self, seconds: Duration) -> None:
        """Hold it for this long from now on, at least. (Leases are renewed anyway while the
        process lives.) Raises LeaseLost, IndeterminateError."""
        self._lease.desk.extend(self._lease, self.offset, milliseconds(seconds))

    def _settle(self, verdict: Verdict, confirm: bool) -> None:
        lease, offset = self._lease, self.offset
        if confirm:
            lease.desk.confirm(verdict, lease, range(offset, offset + 1))
        else:
            lease.desk.settle(verdict, lease, offset)
