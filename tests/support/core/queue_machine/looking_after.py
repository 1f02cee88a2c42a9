"""Rules for groups: dead records, seeks, settings, retention; and time, the disk, crashes."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tapemq_broker.core.queue.dead_letters import Choice
from tapemq_broker.core.results import Affected, DeadPage, Done
from tapemq_broker.core.start import Start
from tests.support.core.queue_machine.model import ModelGroup, Rec
from tests.support.core.queue_machine.saying import SayingRules
from tests.support.core.queue_machine.seeing import (
    names,
    numbers,
    partitions,
)
from tests.support.core.reading import data_log

US = 1_000_000

choices = st.sampled_from(
    [
        *[Choice(every=True)] * 3,
        *[Choice(reason=reason) for reason in ("r", "crashed", "expired", "other")],
        *[Choice([run]) for run in ((0, 3), (2, 9), (5, 6))],
        Choice([(0, 2), (4, 9)], "r"),
    ]
)


ALTERATIONS: list[dict[str, int | str | bool]] = [
    {"paused": False},
    {"paused": True},
    {"single_active": False},
    {"max_attempts": 4},
    {"key_concurrency": 2},
    {"look_ahead": 2},
    {"look_ahead": 1000},
]


class LookingAfterRules(SayingRules):
    """What operators do, and what nobody can help."""

    def _dead(self, name: str, number: int, choice: Choice) -> dict[int, Rec]:
        wanted = {offset for first, end in choice.runs for offset in range(first, end)}
        return {
            offset: rec
            for offset, rec in sorted(self.groups[name].parts[number].records.items())
            if rec.state == "dead"
            and (not choice.runs or offset in wanted)
            and (not choice.reason or rec.reason == choice.reason)
        }

    @rule(name=names, number=partitions, choice=choices, rate=st.sampled_from([0, 1]))
    def redrive(self, name: str, number: int, choice: Choice, rate: int) -> None:
        """Dead records live again, all at once or one a second."""
        if name not in self.groups:
            return
        dead = self._dead(name, number, choice)
        for index, (offset, rec) in enumerate(dead.items()):
            not_before_us = self.world.now_us + index * US if rate and index else 0
            revived = Rec("withheld", True, replays=rec.replays + 1, not_before_us=not_before_us)
            self.groups[name].parts[number].records[offset] = revived
            self.groups[name].confirmed.discard((number, offset))
        queues, now_us = self.world.core.queues, self.world.now_us
        request = self.world.execute(
            0,
            lambda r: queues.redrive(r, 1, name, number, choice, now_us=now_us, rate_per_s=rate),
        )
        self.expect(request, lambda result: _is(result, Affected(len(dead))))

    @rule(
        name=names,
        number=partitions,
        choice=choices,
        offset=numbers,
        what=st.sampled_from(["discard", "list", "seek", "alter", "alter", "delete", "retain"]),
    )
    def administer(self, name: str, number: int, choice: Choice, offset: int, what: str) -> None:
        """What is seldom done."""
        match what:
            case "discard":
                self.discard(name, number, choice, dry_run=offset % 3 == 2)
            case "list":
                self.list_dead(name, number, choice)
            case "seek":
                self.seek(name, number, offset)
            case "alter":
                self.alter(name, ALTERATIONS[offset % len(ALTERATIONS)])
            case "delete":
                self.delete(name)
            case "retain":
                self.retain(number, offset)

    def discard(self, name: str, number: int, choice: Choice, *, dry_run: bool) -> None:
        """Dead records are just settled."""
        if name not in self.groups:
            return
        dead = self._dead(name, number, choice)
        for rec in dead.values() if not dry_run else ():
            rec.settle()
        queues = self.world.core.queues
        request = self.world.execute(
            0, lambda r: queues.discard(r, 1, name, number, choice, dry_run=dry_run)
        )
        self.expect(request, lambda result: _is(result, Affected(len(dead))))

    def list_dead(self, name: str, number: int, choice: Choice) -> None:
        """With what is known of them."""
        if name not in self.groups or choice.runs:
            return
        dead = self._dead(name, number, choice)
        queues = self.world.core.queues
        request = self.world.execute(
            0, lambda r: queues.list_dead(r, 1, name, number, reason=choice.reason)
        )
        page = self.world.answer(request)
        assert isinstance(page, DeadPage)
        assert not page.more
        found = [
            (one["offset"], one["reason"], one["failures"], one["crashes"], one["replays"])
            for one in page.records
        ]
        expected = [(o, r.reason, r.failures, r.crashes, r.replays) for o, r in dead.items()]
        assert found == expected
        self.see()

    def seek(self, name: str, number: int, offset: int) -> None:
        """Anywhere; whoever holds something there has lost it."""
        if name not in self.groups:
            return
        group, log = self.groups[name], self.world.logs[data_log(number)]
        to = offset % (log.durable_offset + 1)
        self._void(group, number)
        group.parts[number].seek(max(to, log.first_offset))
        group.confirmed = {one for one in group.confirmed if one[0] != number}
        groups = self.world.core.groups
        request = self.world.execute(
            0, lambda r: groups.seek(r, 1, name, number, start=Start("offset", to), now_us=0)
        )
        self.expect(request, lambda result: _is(result, Done()))
        assert not any(self.taken_back.values()), "who has lost something is told so"

    def _void(self, group: ModelGroup, number: int) -> None:
        self.taken_back.clear()
        for lease_id, lease in list(group.leases.items()):
            if lease.partition == number:
                self.taken_back[lease_id] = set(group.parts[number].of_lease(lease_id))
                group.consumers[lease.session].sending &= not lease.sending
                del group.leases[lease_id]

    def alter(self, name: str, changes: dict[str, int | str | bool]) -> None:
        """Settings, while things go on."""
        if name not in self.groups:
            return
        group = self.groups[name]
        group.settings |= changes
        group.version += 1
        queues = self.world.core.queues
        request = self.world.execute(0, lambda r: queues.alter(r, 1, name, changes))
        self.expect(request, lambda result: _is(result, Done()))

    def delete(self, name: str) -> None:
        """Only if nobody takes records."""
        groups = self.world.core.groups
        before = self.groups.get(name)
        if before is not None and not before.consumers:
            self.world.going[name] = self.groups.pop(name)
        request = self.world.execute(0, lambda r: groups.delete(r, 1, name))
        if before is None:
            self.expect_now(request, "unknown_group")
        elif before.consumers:
            self.expect_now(request, "group_busy")
        else:
            self.leaving[request] = name
            self.expect(request, lambda result: self._gone(name, result))

    def _gone(self, name: str, result: object) -> None:
        _is(result, Done())
        del self.world.going[name]

    def retain(self, number: int, offset: int) -> None:
        """Retention would like to remove what is below an offset."""
        log = self.world.logs[data_log(number)]
        before = log.first_offset
        self.world.run(
            self.world.core.truncate(data_log(number), offset % (log.durable_offset + 1))
        )
        self.taken_back.clear()
        if log.first_offset == before:
            return
        for group in self.groups.values():
            for o in range(log.first_offset):
                rec = group.parts[number].rec(o)
                kept = rec.state == "settled" or not group.policy.hold
                assert kept, f"{o} is {rec}, and is removed"
            for lease_id, lease in group.leases.items():
                if lease.partition == number:
                    held = group.parts[number].of_lease(lease_id)
                    self.taken_back[lease_id] = {o for o in held if o < log.first_offset}
            group.parts[number].gone_below(log.first_offset)
            group.drop_empty()
        self.see()
        assert not any(self.taken_back.values())

    @precondition(lambda self: self.world.asking)
    @rule(which=numbers, part=numbers)
    def read_keys(self, which: int, part: int) -> None:
        """All of what was asked, or the beginning."""
        queue = self.world.asking
        queue.rotate(-(which % len(queue)))
        wish = queue.popleft()
        self.tell_keys(wish, wish.first + 1 + part % (wish.upto - wish.first))

    @rule(seconds=st.sampled_from([0.05, 0.7, 1.0, 3.0, 6.0]))
    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.world.now += seconds
        now, now_us = self.world.now, self.world.now_us
        for group in self.groups.values():
            for part in group.parts:
                for rec in part.records.values():
                    if rec.state == "retrying" and rec.not_before_us <= now_us:
                        rec.state = "ready"
        self.taken_back.clear()
        self.world.run(self.world.core.tick(now, now_us))
        self.see()
        for group in self.groups.values():
            for lease_id, lease in group.leases.items():
                assert lease.sending or self.deadline(group, lease_id) > now - 0.11
        self.flow()

    @rule()
    def prepare(self) -> None:
        """A round of syncs is about to begin."""
        self.world.prepare()
        self.see()

    @precondition(lambda self: self.world.journal)
    @rule(writes=st.integers(1, 8))
    def sync_round(self, writes: int) -> None:
        """A round of syncs that began after so many of the writes has returned."""
        self.world.sync_round(writes)
        self.see()

    @rule()
    def sync(self) -> None:
        """Everything is on disk."""
        self.world.sync()
        self.see()

    @precondition(lambda self: self.steps_since_crash > 10)
    @rule(survivors=st.integers(0, 63))
    def crash(self, survivors: int) -> None:
        """A power cut: leases are gone, confirmed acks are not, nor where a group was being
        deleted and is not."""
        self.steps_since_crash = 0
        groups = {**self.world.going, **self.groups}
        confirmed = {name: group.confirmed for name, group in groups.items()}
        self.awaited.clear()
        self.leaving.clear()
        self.seen_at.clear()
        self.world.trace.clear()
        self.world.crash(survivors)
        for name, group in self.groups.items():
            for number, offset in confirmed.get(name, ()):
                rec = group.parts[number].rec(offset)
                assert rec.state == "settled", f"{offset} was acked, and is {rec}"
            group.confirmed = confirmed.get(name, set())
        self.see()


def _is(result: object, expected: object) -> None:
    assert result == expected
