"""A world that notes what the model has whenever something of a queue group is written."""

from collections.abc import Callable
from typing import Any

from tapemq.batch import LogId, Role
from tapemq_broker.core import effects as e
from tests.support.core.queue_machine.model import ModelGroup, Snapshot, restored
from tests.support.core.reading import groups_log
from tests.support.core.world import World

Written = dict[str, Snapshot]


class QueueWorld(World):
    """``written``: for each group log, what is written of each group after so many changes."""

    def __init__(self) -> None:
        self.groups: dict[str, ModelGroup] = {}
        self.written: dict[LogId, list[Written]] = {}
        self._prepared: dict[LogId, list[int]] = {}
        self.altering = ""
        self.is_crashing = False
        self.on_restored: Callable[[], None] = lambda: None
        super().__init__()

    def _write(self, log: LogId, names: list[str]) -> None:
        before = self.written.setdefault(log, [{}])[-1]
        after = dict(before)
        for name in names:
            after.pop(name, None)
            if name in self.groups:
                after[name] = self.groups[name].snapshot(log.partition)
        self.written[log].append(after)

    def prepare(self) -> None:
        """Everything that has changed is written."""
        logs = [log for log in self.changed if log.role is Role.GROUPS]
        super().prepare()
        for log in logs:
            self._write(log, list(self.groups))
            self._prepared.setdefault(log, []).append(len(self.written[log]) - 1)

    def _carry_out(self, effect: e.Effect) -> None:
        if isinstance(effect, e.PutState) and effect.log.role is Role.GROUPS:
            self._write(effect.log, [self.altering])
        super()._carry_out(effect)

    def durable(self, log: LogId, offset: int) -> None:
        """What waited for the disk may be handed out within."""
        (self.logs.get(log) or self.states[log]).durable_offset = offset
        self.note_durable()
        super().durable(log, offset)

    def on_disk(self, name: str, partition: int) -> Snapshot | None:
        """What is on disk of a group."""
        log = groups_log(partition)
        return self.written.get(log, [{}])[self.states[log].durable_offset].get(name)

    def _noted(self, name: str, partition: int) -> Snapshot | None:
        """What is on disk of a group, of what was written before a round of syncs."""
        log = groups_log(partition)
        durable = self.states[log].durable_offset
        numbers = [number for number in self._prepared.get(log, []) if number <= durable]
        return self.written[log][numbers[-1]].get(name) if numbers else None

    def note_durable(self) -> None:
        """Records whose failures are on disk are withheld no more."""
        for name, group in self.groups.items():
            for number, part in enumerate(group.parts):
                snapshot = self._noted(name, number)
                for offset, rec in part.records.items():
                    if rec.state != "withheld" or snapshot is None:
                        continue
                    if snapshot.records.get(offset) == rec.kept():
                        rec.state = "retrying" if rec.not_before_us else "ready"

    def start(self) -> None:
        """After a crash, the model is what was written."""
        if self.is_crashing:
            self._restore()
        super().start()

    def _restore(self) -> None:
        logs = sorted(self.written)
        for log in logs:
            del self.written[log][len(self.states[log].changes) + 1 :]
        self._prepared.clear()
        last = {log.partition: self.written[log][-1] for log in logs}
        names = {name for written in last.values() for name in written}
        self.groups = {}
        for name in sorted(names):
            found = [written.get(name) for _, written in sorted(last.items())]
            newest = max((one for one in found if one), key=lambda one: one.version)
            self.groups[name] = restored(found, newest)
        self.on_restored()

    def crash(self, survivors: int = 0) -> None:
        """Lose all that is not on disk; some logs may keep all."""
        self.is_crashing = True
        super().crash(survivors)
        self.is_crashing = False

    def values(self, partition: int) -> list[Any]:
        """All records of a partition."""
        log = self.logs[LogId(1, partition, Role.DATA)]
        return [value for batch in log.batches for value in batch.values]
