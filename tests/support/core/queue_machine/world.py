"""A world that notes what the model has whenever something of a queue group is written."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from tapemq.batch import LogId, Role
from tapemq_broker.core import effects as e
from tapemq_broker.core.topics import CATALOG
from tests.support.core.queue_machine.model import ModelGroup, Snapshot, restored
from tests.support.core.reading import groups_log
from tests.support.core.world import World

Written = dict[str, Snapshot]
_LEAVING = re.compile(rb"leaving/0{15}1/(.*)")


class QueueWorld(World):
    """``written``: for each group log, what is written of each group after so many changes."""

    def __init__(self) -> None:
        self.groups: dict[str, ModelGroup] = {}
        self.going: dict[str, ModelGroup] = {}
        """Those that are being deleted."""
        self.written: dict[LogId, list[Written]] = {}
        self._prepared: dict[LogId, list[int]] = {}
        self.is_crashing = False
        self.on_restored: Callable[[], None] = lambda: None
        super().__init__()

    def _write(self, log: LogId, names: Iterable[str], removed: Collection[str] = ()) -> None:
        before = self.written.setdefault(log, [{}])[-1]
        after = dict(before)
        for name in names:
            after.pop(name, None)
            group = self.groups.get(name) or (self.going.get(name) if name in before else None)
            if group is not None and name not in removed:
                after[name] = group.snapshot(log.partition)
        self.written[log].append(after)

    def prepare(self) -> None:
        """Everything that has changed is written."""
        logs = [log for log in self.changed if log.role is Role.GROUPS]
        super().prepare()
        for log in logs:
            self._write(log, [*self.groups, *self.going])
            self._prepared.setdefault(log, []).append(len(self.written[log]) - 1)

    def _carry_out(self, effect: e.Effect) -> None:
        if isinstance(effect, e.PutState) and effect.log.role is Role.GROUPS:
            names = {key.partition(b"\0")[0] for key in effect.changes}
            removed = {name for name in names if effect.changes.get(name, b"") is None}
            self._write(effect.log, _texts(names), _texts(removed))
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
        notes = map(_LEAVING.fullmatch, self.states[CATALOG].entries())
        names -= {note[1].decode() for note in notes if note}
        self.groups = {}
        self.going.clear()
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


def _texts(names: Iterable[bytes]) -> set[str]:
    return {name.decode() for name in names}
