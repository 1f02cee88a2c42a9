"""Rules for consumers: they come, get records, say what became of them, and go."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tapemq_broker.core import effects as e
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.results import Done
from tapemq_broker.core.start import Start
from tests.support.core.queue_machine.model import (
    LEASE_MS,
    ModelConsumer,
    ModelGroup,
    ModelPart,
)
from tests.support.core.queue_machine.seeing import (
    PARTITIONS,
    SeeingMachine,
    key_of,
    names,
    numbers,
    partitions,
    sessions,
)
from tests.support.core.reading import data_log

LANES = {
    "key_failure": st.sampled_from(["block", "park"]),
    "key_concurrency": st.sampled_from([1, 2]),
    "look_ahead": st.sampled_from([2, 2, 3, 3, 5, 8, 1000]),
}
COMMON = {
    "max_attempts": st.sampled_from([0, 1, 2, 3]),
    "retry_delays_ms": st.sampled_from(["0", "1000", "0,2000"]),
    "single_active": st.just(True),
    "hold": st.just(False),
    "expire_dead": st.just(True),
    "dead_max": st.sampled_from([2, 1000]),
    "retry_max": st.sampled_from([1, 1000]),
}
LEASE = {"lease_ms": st.just(LEASE_MS)}
settings = st.one_of(
    st.fixed_dictionaries(LEASE, optional=COMMON),
    st.fixed_dictionaries({**LEASE, "key_lanes": st.just(True), **LANES}, optional=COMMON),
)


class TakingRules(SeeingMachine):
    """Sessions are numbers; each may take records of each group once."""

    @initialize(wanted=settings, records=st.integers(2, 9), hot=st.sampled_from([0, 0, 4, 9]))
    def begin(self, wanted: dict[str, int | str | bool], records: int, hot: int) -> None:
        """With something to do, of which much may be of one key."""
        for number in range(PARTITIONS):
            if hot:
                self.publish(number, [b"0"] * hot)
            self.publish(number, [b"0", b"1", b"-", b"0", b"2", b"1", b"1", b"0", b"2"][:records])
        self.world.sync()
        self.consume("a", 1, 10, "earliest", wanted)
        self.flow()

    @rule(
        number=partitions,
        values=st.lists(st.sampled_from([b"0", b"0", b"1", b"2", b"-"]), min_size=1, max_size=6),
    )
    def publish(self, number: int, values: list[bytes]) -> None:
        """Of the same few keys."""
        self.world.publish(data_log(number), *values)
        self.see()

    @rule(
        name=names,
        session=sessions,
        records=st.sampled_from([0, 1, 3, 10]),
        start=st.sampled_from(["earliest", "latest"]),
        wanted=settings,
    )
    def consume(
        self,
        name: str,
        session: int,
        records: int,
        start: str,
        wanted: dict[str, int | str | bool],
    ) -> None:
        """With a new group, if there is none."""
        group = self.groups.get(name)
        if group is not None and session in group.consumers:
            return
        wish = Consume(self.sub(name, session), 1, name, "c", Start(start), records, 1000, wanted)
        queues = self.world.core.queues
        if name in self.leaving.values():
            request = self.world.execute(session, lambda r: queues.consume(r, wish))
            self.expect_now(request, "overloaded")
            return
        is_new = group is None
        if group is None:
            floors = [
                log.first_offset if start == "earliest" else log.durable_offset
                for log in (self.world.logs[data_log(0)], self.world.logs[data_log(1)])
            ]
            group = self.groups[name] = ModelGroup(dict(wanted), [*map(ModelPart, floors)])
        group.consumers[session] = ModelConsumer(records, 1000)
        request = self.world.execute(session, lambda r: queues.consume(r, wish))
        if is_new:
            self.expect(request, lambda result: _is(result, Done()))
        else:
            self.expect_now(request, Done())

    @rule(name=names, session=sessions, records=st.sampled_from([1, 5]))
    def credit(self, name: str, session: int, records: int) -> None:
        """Void, if it is for nobody."""
        group = self.groups.get(name)
        if group is not None and session in group.consumers:
            group.consumers[session].credit_records += records
            group.consumers[session].credit_bytes += 10
        self.world.run(self.world.core.queues.credit(self.sub(name, session), records, 10))
        self.see()
        self.flow()

    @precondition(lambda self: self.world.leasing)
    @rule(which=numbers, odd=numbers, fate=st.sampled_from(["", "absent", "expired", "too_old"]))
    def send(self, which: int, odd: int, fate: str) -> None:
        """Some of a lease, and some of it may not be in the log."""
        queue = self.world.leasing
        queue.rotate(-(which % len(queue)))
        wish = queue.popleft()
        offsets = [offset for first, end in wish.runs for offset in range(first, end)]
        sent = offsets[: 1 + odd % len(offsets)]
        self._send(wish, sent, [sent[which % len(sent)]] if fate else [], fate)

    @rule()
    def flow(self) -> None:
        """All that is to be sent and to be read is."""
        for _ in range(100):
            if self.world.leasing:
                wish = self.world.leasing.popleft()
                offsets = [offset for first, end in wish.runs for offset in range(first, end)]
                self._send(wish, offsets, [], "")
            elif self.world.asking:
                asked = self.world.asking.popleft()
                self.tell_keys(asked, asked.upto)

    def tell_keys(self, asked: e.ReadKeys, upto: int) -> None:
        """The keys of what was asked, as far as an offset."""
        values = self.world.values(asked.log.partition)
        keys = [key_of(value) for value in values[asked.first : upto]]
        effects = self.world.core.queues.keys_read(asked.log, asked.group, asked.first, keys)
        self.world.run(effects)
        self.see()

    def _send(self, wish: e.DeliverLease, sent: list[int], odd: list[int], fate: str) -> None:
        found = self.group_of(wish.lease_id)
        assert self.world.core.queues.is_wanted(wish) == (found is not None)
        if found is not None:
            self._sent(found[1], wish, sent, odd, fate)
        group = self.groups.get("ab"[wish.key.subscription - 1])
        consumer = group.consumers.get(wish.key.session) if group else None
        if consumer is not None:
            consumer.credit_records -= len(sent) - len(odd)
            consumer.credit_bytes -= 1
        self._report(wish, sent[-1] + 1, {fate: [(o, o + 1) for o in odd]} if odd else {})

    def _sent(
        self, group: ModelGroup, wish: e.DeliverLease, sent: list[int], odd: list[int], fate: str
    ) -> None:
        lease = group.leases[wish.lease_id]
        part = group.parts[lease.partition]
        for offset, rec in part.of_lease(wish.lease_id).items():
            if offset > sent[-1]:
                rec.give_back()
            elif offset not in odd:
                continue
            elif fate == "absent" or (fate == "expired" and not group.policy.expire_dead):
                rec.settle()
            else:
                group.die(rec, fate)
        lease.sending = group.consumers[lease.session].sending = False
        lease.deadline = max(lease.deadline, self.world.now + wish.lease_s)
        group.drop_empty()

    def _report(self, wish: e.DeliverLease, upto: int, runs: dict[str, Any]) -> None:
        now, now_us = self.world.now, self.world.now_us
        effects = self.world.core.queues.lease_sent(
            wish, upto=upto, size_bytes=1, now=now, now_us=now_us, **runs
        )
        self.world.run(effects)
        self.see()

    @rule(name=names, session=sessions, what=st.sampled_from(["seen", "stall", "close", "cancel"]))
    def turn(self, name: str, session: int, what: str) -> None:
        """What becomes of a session."""
        match what:
            case "seen":
                self.extend_session(session)
            case "stall":
                self.stall(
                    session,
                    not any(
                        session in group.consumers and group.consumers[session].stalled
                        for group in self.groups.values()
                    ),
                )
            case "close":
                self.close(session)
            case "cancel":
                self.cancel(name, session)

    def extend_session(self, session: int) -> None:
        """A sign of life."""
        if any(session in group.consumers for group in self.groups.values()):
            self.seen_at[session] = self.world.now
            self.world.core.queues.extend_session(session, self.world.now)

    def stall(self, session: int, stalled: bool) -> None:
        """A connection takes no more, or again."""
        for group in self.groups.values():
            if session in group.consumers:
                group.consumers[session].stalled = stalled
        if stalled:
            self.world.core.queues.stalled(session)
        else:
            self.world.run(self.world.core.queues.resumed(session))
        self.see()

    def close(self, session: int) -> None:
        """A connection is lost."""
        now_us = self.world.now_us
        for group in self.groups.values():
            for lease_id in [i for i, one in group.leases.items() if one.session == session]:
                group.lose(lease_id, now_us)
            group.consumers.pop(session, None)
        self.seen_at.pop(session, None)
        self.world.run(self.world.core.queues.session_closed(session, now_us))
        self.see()

    def cancel(self, name: str, session: int) -> None:
        """A consumer leaves in peace."""
        group = self.groups.get(name)
        here = group is not None and session in group.consumers
        if group is not None and here:
            for lease_id in [i for i, one in group.leases.items() if one.session == session]:
                lease = group.leases.pop(lease_id)
                for rec in group.parts[lease.partition].of_lease(lease_id).values():
                    rec.deliveries += 1
                    rec.give_back()
            del group.consumers[session]
        queues, sub = self.world.core.queues, self.sub(name, session)
        request = self.world.execute(session, lambda r: queues.cancel(r, sub))
        self.expect_now(request, Done() if here else "unknown_subscription")


def _is(result: object, expected: object) -> None:
    assert result == expected
