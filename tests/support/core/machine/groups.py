"""Rules for groups: commits by whomever, seeks, hold, and the end of a group."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tapemq_broker.core import effects as e
from tapemq_broker.core.group import Position
from tapemq_broker.core.results import Done
from tests.support.core.machine.seeing import SeeingMachine, groups, numbers, starts


class GroupRules(SeeingMachine):
    """Commands name a group that may not exist, and partitions that do."""

    @precondition(lambda self: self.notes.now)
    @rule(
        group=groups,
        number=numbers,
        offset=numbers,
        who=st.sampled_from(["holder", "holder", "holder", "outsider", "former"]),
    )
    def commit(self, group: str, number: int, offset: int, who: str) -> None:
        """By the holder, by one who was it, or by nobody."""
        number %= len(self.partitions)
        offset %= self.partitions[number].durable_offset + 2
        holder = self.watcher.holder(group, number)
        held = holder.held[number].generation if holder and who == "holder" else 0
        generation = 1 if who == "former" else held
        core, now_us = self.world.core, self.world.now_us
        request = self.world.execute(
            0,
            lambda r: core.groups.commit(
                r, 1, group, number, generation=generation, offset=offset, now_us=now_us
            ),
        )
        if group not in self.notes.groups():
            self.expect_now(request, "unknown_group")
        elif generation == 1 or (generation == 0 and self.watcher.members(group)):
            self.expect_now(request, "fenced")
        elif offset > self.partitions[number].durable_offset:
            self.expect_now(request, "offset_out_of_range")
        else:
            at = self.notes.now[group, number]
            if offset > at.cursor:
                committed = at._replace(cursor=offset, commit_time_us=now_us)
                self.notes.now[group, number] = committed
            self.expect_noted(request, group, number)

    @precondition(lambda self: self.notes.now)
    @rule(group=groups, number=numbers, start=starts)
    def seek(self, group: str, number: int, start: tuple[str, int]) -> None:
        """Anywhere. Who was asked to let go has let go then."""
        number %= len(self.partitions)
        to = self.start(*start, number)
        found = self.resolve(to, number)
        core, now_us = self.world.core, self.world.now_us
        request = self.world.execute(
            0, lambda r: core.groups.seek(r, 1, group, number, start=to, now_us=now_us)
        )
        if group not in self.notes.groups():
            self.expect_now(request, "unknown_group")
        elif isinstance(found, str):
            self.expect_now(request, found)
        else:
            at = self.notes.now[group, number]
            cursor = min(found, self.partitions[number].durable_offset)
            self.notes.now[group, number] = Position(cursor, at.seek_epoch + 1, now_us, at.hold)
            self.watcher.let_go_if_revoked(group, number)
            self.expect_noted(request, group, number)

    @precondition(lambda self: self.notes.now)
    @rule(group=groups, hold=st.booleans())
    def hold(self, group: str, hold: bool) -> None:
        """Let retention wait for a group, or not."""
        core = self.world.core
        request = self.world.execute(0, lambda r: core.groups.alter(r, 1, group, hold=hold))
        if group not in self.notes.groups():
            self.expect_now(request, "unknown_group")
            return
        changed = self.notes.set_hold(group, hold, self.first_offsets)
        self.expect_noted(request, group, *(self.everywhere if changed else ()))

    @precondition(lambda self: self.notes.now)
    @rule(group=groups)
    def forget(self, group: str) -> None:
        """Delete a group that nobody reads with."""
        core = self.world.core

        def delete(request: e.Request) -> e.Effects:
            return core.groups.delete(request, 1, group)

        request = self.world.execute(0, delete)
        if group not in self.notes.groups():
            self.expect_now(request, "unknown_group")
        elif self.watcher.members(group):
            self.expect_now(request, "group_busy")
        else:
            self.notes.leave(group)
            self.leaving[request] = group
            self.expect(request, lambda result: self._gone(request, group, result))

    def _gone(self, request: e.Request, group: str, result: object) -> None:
        assert result == Done()
        self.notes.confirm(request, group, self.everywhere)
        self.notes.going.discard(group)
