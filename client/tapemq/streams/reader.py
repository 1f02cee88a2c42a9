"""What a stream subscribes to and where it is sought, without I/O. Both shells build on it."""

from collections.abc import Collection, Sequence

from tapemq.errors import Error, again
from tapemq.network.link_state import C
from tapemq.network.reader import Reader
from tapemq.streams.credit import Grant
from tapemq.streams.intake import Intake
from tapemq.streams.plan import StreamOptions, plan_subscriptions
from tapemq.streams.seek import Seek
from tapemq.streams.start import WireStart
from tapemq.wire import messages as m


class StreamReader(Reader[C]):
    """Tells a stream's intake what is subscribed and assigned."""

    options: StreamOptions
    intake: Intake
    _partitions_at_start: int
    _seek: Seek | None = None

    def partitions(self) -> list[int]:
        """What is read now. Raises what the reader has failed with."""
        if self.failure is not None:
            raise again(self.failure)
        if self.options.group:
            return list(self.intake.assignments)
        assert self._topic is not None
        return list(self.options.partitions or range(self._topic.partitions))

    def _plan(self) -> Sequence[m.Subscribe]:
        assert self._topic is not None
        positions = {p: a.position for p, a in self.intake.assignments.items()}
        at_start = self._partitions_at_start
        return plan_subscriptions(self.options, self._topic, positions, at_start, self._seek)

    def _subscribed(self, number: int, request: m.Subscribe) -> None:
        self.intake.subscribed(number, Grant(request.credit_records, request.credit_bytes))

    def _cut_off(self) -> None:
        self.intake.cut_off()
        if self._seek is not None:
            self._seek.cut_off()

    def _assigned(self, message: m.Assigned) -> None:
        seek = self._seek
        self.intake.assigned(message, moved=seek is not None and seek.assigned(message.partition))
        if seek is not None and seek.is_over:
            self._seek = None

    # Seeking without a group: all of it happens, or none

    def _begin_seek(self, partitions: Collection[int], start: WireStart) -> Seek:
        if self.failure is not None:
            raise again(self.failure)
        seek = self._seek = Seek(self.intake, partitions, start)
        self.renew()
        return seek

    def _call_off(self, seek: Seek) -> None:
        """Read on from where it was, if the seek is not over."""
        if self._seek is seek:
            self._seek = None
            seek.undo()
            self.renew()

    def _gives_in(self, error: Error) -> bool:
        seek = self._seek
        if seek is None:
            return False
        seek.refusal = error
        self._call_off(seek)
        self._progressed()
        return True
