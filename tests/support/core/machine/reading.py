"""Rules for reading: subscriptions that come, take, let go and end."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tapemq_broker.core.group import Position
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tapemq_broker.core.streams import Subscribe
from tests.support.core.machine.seeing import SeeingMachine, groups, numbers, starts
from tests.support.core.machine.watcher import Subscriber
from tests.support.core.reading import subscribe, wish

sessions = st.integers(1, 4)
amounts = st.sampled_from([0, 1, 1, 2, 3, 1000])


class ReadingRules(SeeingMachine):
    """Sessions have up to two subscriptions."""

    @rule(
        session=sessions,
        number=st.integers(1, 2),
        group=groups,
        member=st.sampled_from(["", "a", "b"]),
        start=starts,
        hold=st.sampled_from([False, False, True]),
        credit=amounts,
    )
    def join(
        self,
        session: int,
        number: int,
        group: str,
        member: str,
        start: tuple[str, int],
        hold: bool,
        credit: int,
    ) -> None:
        """Subscribe in a group, perhaps as a member that is still there."""
        begin = self.start(*start, *self.everywhere)
        wanted = self._wish(session, number, begin, credit)
        wanted = wanted._replace(group=group, member=member, hold=hold)
        known = self.watcher.subscribers.get(wanted.key)
        is_new = group not in self.notes.groups()
        cursors = [self.resolve(begin, partition) for partition in self.everywhere]
        refused = [name for name in cursors if isinstance(name, str)]
        request = subscribe(self.world, wanted)
        if known and (not member or (known.group, known.member) != (group, member)):
            self.expect_now(request, "bad_request")
        elif is_new and group in self.leaving.values():
            self.expect_now(request, "overloaded")
        elif is_new and refused:
            self.expect_now(request, refused[0])
        else:
            changed = self._open(group, cursors, hold) if is_new else False
            changed = changed or (hold and self.notes.set_hold(group, True, self.first_offsets))
            self._begin(wanted)
            if changed or hold:
                self.expect_noted(request, group, *(self.everywhere if changed else ()))
            else:
                self.expect_now(request, Done())

    def _open(self, group: str, cursors: list[int | str], hold: bool) -> bool:
        """A group begins where nothing may be lost any more."""
        for partition, cursor in enumerate(cursors):
            assert isinstance(cursor, int)
            cursor = min(cursor, self.partitions[partition].durable_offset)
            self.notes.now[group, partition] = Position(cursor, hold=hold)
        return True

    @rule(
        session=sessions,
        number=st.integers(1, 2),
        start=starts,
        partitions=st.lists(numbers, max_size=3),
        credit=amounts,
    )
    def read(
        self,
        session: int,
        number: int,
        start: tuple[str, int],
        partitions: list[int],
        credit: int,
    ) -> None:
        """Subscribe without a group."""
        partitions = [partition % len(self.partitions) for partition in partitions]
        begin = self.start(*start, *(partitions or self.everywhere))
        wanted = self._wish(session, number, begin, credit)._replace(partitions=partitions)
        offsets = {n: self.resolve(begin, n) for n in partitions or self.everywhere}
        refused = [name for name in offsets.values() if isinstance(name, str)]
        is_known = wanted.key in self.watcher.subscribers
        request = subscribe(self.world, wanted)
        if is_known or refused:
            self.expect_now(request, "bad_request" if is_known else refused[0])
            return
        self._begin(wanted)
        self.expect_now(request, Done())
        held = self.watcher.subscribers[wanted.key].held
        assert {n: one.position for n, one in held.items()} == offsets

    def _wish(self, session: int, number: int, start: Start, credit: int) -> Subscribe:
        size_bytes = credit * 100
        wanted = wish(session, subscription=number, records=credit, size_bytes=size_bytes)
        return wanted._replace(start=start)

    def _begin(self, wanted: Subscribe) -> None:
        """As Subscribe was not refused. A member of the same name is followed by this one."""
        for one in self.watcher.members(wanted.group) if wanted.member else []:
            if one.member == wanted.member:
                one.held.clear()
        one = Subscriber(wanted.key, wanted.group, wanted.member)
        one.credit_records, one.credit_bytes = wanted.credit_records, wanted.credit_bytes
        one.reads_all = not wanted.group and not wanted.partitions
        self.watcher.subscribers[wanted.key] = one

    @precondition(lambda self: self.watcher.subscribers)
    @rule(index=numbers, records=amounts, size_bytes=st.sampled_from([0, 100, 1000]))
    def credit(self, index: int, records: int, size_bytes: int) -> None:
        """The client can take more."""
        one = self.one_of(index)
        one.credit_records += records
        one.credit_bytes += size_bytes
        self.world.run(self.world.core.streams.credit(one.key, records, size_bytes))
        self.see()

    @precondition(lambda self: self.world.reading)
    @rule(count=st.integers(1, 4))
    def deliver(self, count: int) -> None:
        """The deliveries that wait longest are sent."""
        for _ in range(min(count, len(self.world.reading))):
            self.world.deliver()
            self.see()

    @precondition(lambda self: self.watcher.subscribers)
    @rule(index=numbers, partition=numbers, stale=st.sampled_from([False, False, True]))
    def release(self, index: int, partition: int, stale: bool) -> None:
        """A member lets go, asked to or not, or somebody tries who may not."""
        one, partition = self.one_of(index), partition % len(self.partitions)
        held = one.held.get(partition)
        others = [
            o.held[partition].generation
            for o in self.watcher.members(one.group)
            if o is not one and partition in o.held
        ]
        generation = (others or [1])[0] if held is None or stale else held.generation
        streams = self.world.core.streams
        request = self.world.execute(
            one.key.session,
            lambda r: streams.release(r, one.key, partition, generation, self.world.now),
        )
        if not one.group:
            self.expect_now(request, "bad_request")
        elif held is None or stale:
            self.expect_now(request, "fenced")
        else:
            del one.held[partition]
            self.expect_now(request, Done())

    @precondition(lambda self: len(self.watcher.subscribers) > 1)
    @rule(index=numbers, whole_session=st.booleans())
    def leave(self, index: int, whole_session: bool) -> None:
        """One subscription ends, or all of a session."""
        one, subscribers = self.one_of(index), self.watcher.subscribers
        streams, now = self.world.core.streams, self.world.now
        if whole_session:
            for wanted in [w for w in subscribers if w.session == one.key.session]:
                del subscribers[wanted]
            self.world.run(streams.session_closed(one.key.session, now))
            self.see()
        else:
            del subscribers[one.key]
            request = self.world.execute(
                one.key.session, lambda r: streams.unsubscribe(r, one.key, now)
            )
            self.expect_now(request, Done())

    @precondition(lambda self: self.notes.now)
    @rule(seconds=st.sampled_from([0.5, 2.0, 5.0]))
    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.world.now += seconds
        self.watcher.overdue(self.world.now)
        self.world.run(self.world.core.tick(self.world.now, self.world.now_us))
        self.see()
