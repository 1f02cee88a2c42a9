"""What the fake broker answers about queue groups."""

from typing import Any

from tapemq.network.exchange import Reply
from tapemq.wire import errors
from tapemq.wire import messages as m
from tapemq.wire.entries import unpack_runs, unpack_tokens
from tapemq.wire.pages import pack_page
from tests.support.fake_broker.queues import FakeQueue, FakeQueues
from tests.support.fake_broker.session import FakeSession
from tests.support.fake_broker.topic import FakeTopic, Refused


class QueueAnswers:
    """As Answers, for queues."""

    def __init__(self) -> None:
        self.queues = FakeQueues()
        self.dead_page = 256

    def _topic(self, topic_id: int) -> FakeTopic:
        raise NotImplementedError

    def _queue(self, topic_id: int, name: str) -> FakeQueue:
        group = self.queues.groups.get((topic_id, name))
        if group is None:
            raise Refused(errors.UNKNOWN_GROUP)
        return group

    def _on_consume(self, session: FakeSession, message: m.Consume, _: bytes) -> m.Done:
        self.queues.consume(session, self._topic(message.topic_id), message)
        return m.Done()

    def _on_settle(self, session: FakeSession, message: m.Settle, payload: bytes) -> Reply:
        return self.queues.settle(session, message, payload)

    def _on_started(self, _: Any, __: m.Started, payload: bytes) -> None:
        self.queues.started += unpack_tokens(payload)

    def _on_extend(self, _: Any, message: m.Extend, payload: bytes) -> Reply:
        return self.queues.extend(message, payload)

    def _on_describequeue(self, _: Any, message: m.DescribeQueue, __: bytes) -> m.Queue:
        group = self._queue(message.topic_id, message.group)
        visible = self._topic(message.topic_id).partitions[message.partition].next_offset
        dead = [where for where in group.dead if where[0] == message.partition]
        return m.Queue(
            partition=message.partition,
            ack_floor=1,
            cursor=2,
            visible=visible,
            ready=3,
            leased=4,
            retrying=5,
            dead=len(dead),
            settled_above_floor=7,
            consumers=8,
            credit_records=9,
            oldest_unsettled_us=1_000_000,
            settings=group.settings,
            redelivered=11,
            acked=12,
            failed=13,
            crashed=14,
            expired=15,
            gone=16,
        )

    def _on_alterqueue(self, _: Any, message: m.AlterQueue, __: bytes) -> m.Done:
        group = self._queue(message.topic_id, message.group)
        group.settings = group.settings | message.settings
        return m.Done()

    def _on_explain(self, _: Any, message: m.Explain, __: bytes) -> m.Explanation:
        self._queue(message.topic_id, message.group)
        return m.Explanation("caught_up", ["every record is settled"])

    def _on_listdead(self, _: Any, message: m.ListDead, __: bytes) -> Reply:
        rows = [
            {"offset": offset, **row}
            for (partition, offset), row in sorted(
                self._queue(message.topic_id, message.group).dead.items()
            )
            if partition == message.partition
            and offset >= message.after_offset
            and message.reason in ("", row["reason"])
        ]
        page, rest = rows[: self.dead_page], rows[self.dead_page :]
        next_offset = rest[0]["offset"] if rest else 0
        return Reply(m.DeadPage(next_offset, bool(rest)), pack_page(page))

    def _on_redrive(self, _: Any, message: Any, payload: bytes) -> m.Affected:
        group = self._queue(message.topic_id, message.group)
        named = {first + i for first, records in unpack_runs(payload) for i in range(records)}
        meant = [
            (partition, offset)
            for (partition, offset), row in group.dead.items()
            if partition == message.partition
            and (message.all or offset in named or message.reason == row["reason"])
        ]
        if not message.dry_run:
            for where in meant:
                del group.dead[where]
        return m.Affected(len(meant))

    _on_discard = _on_redrive
