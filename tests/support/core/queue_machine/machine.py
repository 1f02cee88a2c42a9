"""All rules, and what must hold after each of them."""

from hypothesis.stateful import invariant

from tapemq_broker.core.results import QueueInfo
from tests.support.core.queue_machine.looking_after import LookingAfterRules
from tests.support.core.queue_machine.model import ModelGroup, Rec
from tests.support.core.queue_machine.seeing import PARTITIONS, key_of

HOLDING = ("leased", "withheld", "retrying")
"""Records that have a slot of their lane, or had one."""


class QueueMachine(LookingAfterRules):
    """Anything, in any order."""

    @invariant()
    def time_passes(self) -> None:
        self.steps_since_crash += 1

    @invariant()
    def counts_agree(self) -> None:
        queues = self.world.core.queues
        assert self.world.core.topics.get(1).queue_groups.keys() == self.groups.keys()
        for name, group in self.groups.items():
            for number in range(PARTITIONS):
                found = queues.describe(self.world.request(), 1, name, number)[0]
                info = found.result  # type: ignore[union-attr]
                assert isinstance(info, QueueInfo)
                self._check_counts(group, number, info)

    def _check_counts(self, group: ModelGroup, number: int, info: QueueInfo) -> None:
        recs = group.parts[number].visible(self.visible(number))
        counts = {
            state: sum(rec.state == state for _, rec in recs)
            for state in ("ready", "leased", "withheld", "retrying", "dead", "settled")
        }
        assert sum(counts.values()) == info.visible == self.visible(number)
        assert info.ready == counts["ready"]
        assert info.leased == counts["leased"]
        assert info.retrying == counts["withheld"] + counts["retrying"]
        assert info.dead == counts["dead"]
        floor = group.parts[number].floor(self.visible(number))
        assert info.ack_floor == floor
        assert info.settled_above_floor == sum(rec.terminal for o, rec in recs if o >= floor)
        assert info.consumers == len(group.consumers)
        assert info.credit_records == sum(c.credit_records for c in group.consumers.values())
        assert info.settings == group.settings

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        for name, group in self.groups.items():
            takers = [one for one in group.consumers.values() if one.can_take]
            if group.policy.single_active:
                first = next(iter(group.consumers.values()), None)
                takers = [first] if first in takers else []
            if group.policy.paused or not any(not one.sending for one in takers):
                continue
            for number in range(PARTITIONS):
                assert group.is_sending(number) or not self._has_ready(name, group, number)

    def _has_ready(self, name: str, group: ModelGroup, number: int) -> bool:
        """Whether a lease could be made; where that is hard to say, not."""
        recs = group.parts[number].visible(self.visible(number))
        if sum(rec.state == "dead" for _, rec in recs) >= group.policy.dead_max:
            return False
        full = self.waiting(name, number) >= group.policy.retry_max
        ready = [
            (offset, rec)
            for offset, rec in recs
            if rec.state == "ready" and (not full or rec.troubled or rec.deliveries)
        ]
        if not group.policy.key_lanes:
            return bool(ready)
        slots = sum(rec.state in HOLDING for _, rec in recs)
        if self.world.asking or slots >= group.policy.look_ahead or full:
            return False
        return any(self._lane_is_free(group, number, offset, recs) for offset, _ in ready)

    def _lane_is_free(
        self, group: ModelGroup, number: int, offset: int, recs: list[tuple[int, Rec]]
    ) -> bool:
        values = self.world.values(number)
        lane = key_of(values[offset])
        holders = sum(key_of(values[o]) == lane and rec.state in HOLDING for o, rec in recs)
        return lane is None or holders < group.policy.key_concurrency

    def teardown(self) -> None:
        """In the end everything is on disk, and answered."""
        self.world.sync()
        self.see()
        self.world.sync()
        self.see()
        assert self.awaited == {}
