"""Rules for what is said of leased records: done, failed, begun, still worked on."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tapemq_broker.core.queue.leases import LEASES_PER_BOOT
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.results import Settled
from tests.support.core.queue_machine.model import LEASE_MS, Rec
from tests.support.core.queue_machine.seeing import numbers
from tests.support.core.queue_machine.taking import TakingRules
from tests.support.core.reading import data_log


class SayingRules(TakingRules):
    """By who holds the lease, mostly."""

    def _pick(self, which: int, shift: int, count: int) -> tuple[str, int, tuple[int, int, int]]:
        """A group, a session, and a token: mostly of a lease that the session has."""
        leases = [(i, name) for name, group in self.groups.items() for i in group.leases]
        if not leases or which % 16 == 15:
            guess = self.world.boots * LEASES_PER_BOOT + 1
            return "ab"[which // 16 % 2], which % 3 + 1, (guess, 0, count)
        lease_id, name = leases[which % len(leases)]
        lease = self.groups[name].leases[lease_id]
        held = sorted(self.groups[name].parts[lease.partition].of_lease(lease_id)) or [0]
        session = lease.session % 3 + 1 if which % 9 == 8 else lease.session
        return name, session, (lease_id, max(0, held[shift % len(held)] - which % 2), count)

    def _held(
        self, name: str, session: int, token: tuple[int, int, int]
    ) -> dict[int, tuple[int, Rec]]:
        """The records of a token that the session has: by offset, with their partition."""
        lease_id, first, count = token
        lease = self.groups[name].leases.get(lease_id)
        if lease is None or lease.session != session:
            return {}
        records = self.groups[name].parts[lease.partition].of_lease(lease_id)
        wanted = range(first, first + count)
        return {o: (lease.partition, rec) for o, rec in records.items() if o in wanted}

    @rule(
        verb=st.sampled_from([Verb.ACK, *Verb]),
        picks=st.lists(st.tuples(numbers, numbers, st.integers(1, 5)), min_size=1, max_size=3),
        delay_ms=st.sampled_from([None, None, 0, 700]),
        flows=st.sampled_from([True, True, False]),
    )
    def settle(
        self,
        verb: Verb,
        picks: list[tuple[int, int, int]],
        delay_ms: int | None,
        flows: bool,
    ) -> None:
        """By whomever, of whatever."""
        self._settle_picks(verb, picks, delay_ms)
        if flows:
            self.flow()

    @rule(
        frames=st.lists(
            st.tuples(
                st.sampled_from([Verb.ACK, Verb.NACK, Verb.NACK, Verb.REJECT]),
                st.tuples(numbers, numbers, st.integers(1, 3)),
            ),
            min_size=3,
            max_size=8,
        )
    )
    def work(self, frames: list[tuple[Verb, tuple[int, int, int]]]) -> None:
        """Much happens, more than one failure to a record."""
        for verb, pick in frames:
            _, session, token = self._pick(*pick)
            self.started(pick)
            for name, group in self.groups.items():
                if session in group.consumers and token[0] in group.leases:
                    self.credit(name, session, 3)
            self._settle_picks(verb, [pick], 0)
        self.world.sync()
        self.see()
        self.flow()

    def _settle_picks(
        self, verb: Verb, picks: list[tuple[int, int, int]], delay_ms: int | None
    ) -> None:
        name, session, token = self._pick(*picks[0])
        if name not in self.groups:
            return
        group = self.groups[name]
        wanted = [token, *(self._pick(*pick)[2] for pick in picks[1:])]
        lost, settled = self._settle(name, session, verb, wanted, delay_ms)
        group.drop_empty()
        queues, now_us = self.world.core.queues, self.world.now_us
        sub = self.sub(name, session)
        request = self.world.execute(
            session,
            lambda r: queues.settle(
                r, sub, verb, wanted, now_us=now_us, delay_ms=delay_ms, reason="r"
            ),
        )
        if session not in group.consumers:
            self.expect_now(request, "unknown_subscription")
            return

        def check(result: object) -> None:
            assert isinstance(result, Settled)
            found = [(i, o) for i, first, n in result.lost for o in range(first, first + n)]
            assert sorted(found) == sorted(lost)
            if verb is not Verb.RELEASE:
                self._confirmed(name, verb, settled)

        self.expect(request, check)

    def _settle(
        self,
        name: str,
        session: int,
        verb: Verb,
        tokens: list[tuple[int, int, int]],
        delay_ms: int | None,
    ) -> tuple[list[tuple[int, int]], dict[tuple[int, int], Rec]]:
        """What is lost, and what was settled: a copy of what is to be written of it."""
        group, now_us = self.groups[name], self.world.now_us
        lost: list[tuple[int, int]] = []
        settled: dict[tuple[int, int], Rec] = {}
        for token in tokens:
            held = self._held(name, session, token)
            lost += [(token[0], o) for o in range(token[1], token[1] + token[2]) if o not in held]
            for offset, (partition, rec) in sorted(held.items()):
                if verb is Verb.ACK:
                    rec.settle()
                elif verb is Verb.REJECT:
                    group.die(rec, "r")
                elif verb is Verb.RELEASE:
                    rec.deliveries += 1
                    rec.give_back()
                else:
                    policy, log = group.policy, data_log(partition)
                    delay = delay_ms
                    if delay is None:
                        delay = policy.retry_delay_ms(log, offset, rec.failures + 1)
                    group.fail(rec, delay * 1000, "r", now_us)
                settled[partition, offset] = rec.kept()
        return lost, settled

    def _confirmed(self, name: str, verb: Verb, settled: dict[tuple[int, int], Rec]) -> None:
        """What is answered is on disk; unless more has happened to it since."""
        group = self.groups.get(name)
        for (partition, offset), kept in settled.items() if group is not None else ():
            assert group is not None
            snapshot = self.world.on_disk(name, partition)
            if snapshot is None or group.parts[partition].rec(offset).kept() != kept:
                continue
            known = snapshot.records.get(offset)
            settled_below = known is None and offset < snapshot.start
            assert known == kept or settled_below, f"{offset}: {known} is on disk, not {kept}"
            if verb is Verb.ACK:
                group.confirmed.add((partition, offset))

    @rule(pick=st.tuples(numbers, numbers, st.integers(1, 5)))
    def started(self, pick: tuple[int, int, int]) -> None:
        """Handlers begin."""
        name, session, token = self._pick(*pick)
        if name not in self.groups:
            return
        for _, rec in self._held(name, session, token).values():
            rec.started = True
        self.world.core.queues.started(self.sub(name, session), [token])

    @rule(pick=st.tuples(numbers, numbers, st.just(3)), more_ms=st.sampled_from([0, 9000]))
    def extend(self, pick: tuple[int, int, int], more_ms: int) -> None:
        """The whole lease, if anything of the token is held, and it has been sent."""
        name, session, token = self._pick(*pick)
        if name not in self.groups or session not in self.groups[name].consumers:
            return
        known = self.groups[name].leases.get(token[0])
        held = [] if known is None or known.sending else self._held(name, session, token)
        lost = [o for o in range(token[1], token[1] + token[2]) if o not in held]
        if held:
            lease = self.groups[name].leases[token[0]]
            lease.deadline = max(lease.deadline, self.world.now + (more_ms or LEASE_MS) / 1000)
        queues, sub, now = self.world.core.queues, self.sub(name, session), self.world.now
        request = self.world.execute(
            session, lambda r: queues.extend(r, sub, [token], lease_ms=more_ms, now=now)
        )
        answer = self.world.answer(request)
        assert isinstance(answer, Settled)
        assert [o for _, first, n in answer.lost for o in range(first, first + n)] == lost
        self.see()
