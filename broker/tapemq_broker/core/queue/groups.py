"""Queue groups of all topics: opened, changed, sought, deleted; and as the logs have them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

from tapemq.batch import LogId
from tapemq_broker.core.counting import counted
from tapemq_broker.core.effects import (
    Change,
    Detach,
    Effects,
    Later,
    PutState,
    Reply,
    ReplyWhenDurable,
    Request,
    TakeBack,
    WhenDurable,
)
from tapemq_broker.core.leaving import Leaving
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.partition import Partition
from tapemq_broker.core.positions import done_when_put
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.chores import Chore
from tapemq_broker.core.queue.dispatch import Dispatch
from tapemq_broker.core.queue.entries import Kept, head_key, orphans, queue_groups
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.ledger import Ledger
from tapemq_broker.core.queue.outcome import Outcome
from tapemq_broker.core.queue.terms import Terms
from tapemq_broker.core.queue.wish import Consume
from tapemq_broker.core.refusal import Refusal, Refused
from tapemq_broker.core.results import Done, GroupInfo, TopicSettings
from tapemq_broker.core.start import Start
from tapemq_broker.core.topic import Topic
from tapemq_broker.core.topics import Topics

_ENTRIES_AT_ONCE: Final = 4096
"""What is put as one stays far below what a batch takes: 65,535 entries, and their bytes."""

_GROUPS_AT_ONCE: Final = 100
"""So many are told at once what is gone, at up to 30 µs each."""


class QueueGroups:
    """What changes settings is refused where the disk is full; what changes records waits."""

    def __init__(self, topics: Topics, groups_max: int, dispatch: Dispatch) -> None:
        self._topics = topics
        self._groups_max = groups_max
        self._dispatch = dispatch
        self._orphans: dict[LogId, list[bytes]] = {}
        # Partitions of which very many groups are being told what is gone; True: more is by now.
        self._telling: dict[LogId, bool] = {}

    def open(
        self, request: Request, topic: Topic, wish: Consume, join: Callable[[QueueGroup], Effects]
    ) -> Effects:
        """Go on with the group of that name, which may have to be made first. Raises Refused."""
        group = topic.queue_groups.get(wish.group)
        if group is not None:
            return join(group)
        topic.check_group_can_be_made(wish.group)
        if self._topics.group_count >= self._groups_max:
            raise Refused("bad_request", f"this broker holds at most {self._groups_max} groups")
        terms = Terms.of(wish.settings, 1)
        made = QueueGroup(topic.info.topic_id, wish.group, terms, topic.levels)
        for partition in topic.group_partitions():
            ledger = Ledger(wish.group, partition, terms, wish.start.cursor(partition))
            made.backlogs[partition.number] = Backlog(ledger)

        def then() -> Effects:
            self._topics.add_queue_group(topic, made)
            for backlog in made.backlogs.values():
                backlog.ledger.take_changes()
                made.wake_backlog(backlog)
            effects = join(made)
            for backlog in made.backlogs.values():
                effects += backlog.supply.wanted()
            return effects

        puts = [
            PutState(backlog.partition.groups_log, backlog.ledger.changes())
            for backlog in made.backlogs.values()
        ]
        return [Change(request, puts, then)]

    def alter(self, request: Request, topic_id: int, name: str, settings: TopicSettings) -> Effects:
        """Change settings on all partitions."""
        topic = self._topics.get(topic_id)
        group = topic.queue_group(name)
        topic.check_groups_usable()
        terms = group.terms.changed(settings)
        if terms.policy.key_lanes != group.terms.policy.key_lanes:
            raise Refused("bad_request", "key_lanes is chosen when a group is made, and stays")

        # With ``hold`` it would bring back what it has not been told yet is gone.
        effects = self._forget_gone([(group, backlog) for backlog in group.backlogs.values()])

        def then() -> Effects:
            group.set_terms(terms)
            outcome = Outcome()
            for backlog in group.backlogs.values():
                backlog.supply.settings_changed()
                outcome.touch(group, backlog)
            return [*self._dispatch.finish(outcome), done_when_put(topic, request)]

        puts = []
        for backlog in group.backlogs.values():
            ledger = backlog.ledger
            head = ledger.head._replace(version=terms.version, settings=terms.settings)
            # With all that has changed: the floor may have passed what is still to be written.
            changes = {**ledger.changes(), head_key(name): head.encode()}
            if len(changes) > _ENTRIES_AT_ONCE:
                refusal = Refusal("overloaded", "much has changed, and is being written", 0.1)
                return [*effects, Reply(request, refusal)]
            puts.append(PutState(backlog.partition.groups_log, changes))
        return [*effects, Change(request, puts, then)]

    def newest_us(self) -> int:
        """When a record of any group failed last, of those that are not settled since."""
        groups = [
            group for topic in self._topics.by_id.values() for group in topic.queue_groups.values()
        ]
        backlogs = [backlog for group in groups for backlog in group.backlogs.values()]
        return max((backlog.ledger.newest_us for backlog in backlogs), default=0)

    def delete(self, request: Request, topic: Topic, group: QueueGroup) -> Effects:
        """Forget a group that nobody takes records with."""
        if group.consumers:
            raise Refused(
                "group_busy",
                f"group {group.name!r} has {counted(len(group.consumers), 'consumer')}",
            )
        topic.check_groups_usable()

        def remove() -> Effects:
            # Not before: the group may come back after a crash, with all that was confirmed.
            rest: Effects = []
            for backlog in group.backlogs.values():
                rest += removing(backlog.partition, backlog.ledger.part_keys())
                self._dispatch.changed.forget(backlog.ledger)
                backlog.close()
            return rest

        leaving = Leaving(self._topics, topic, group.name, remove)
        return leaving.begin(request, lambda: self._topics.remove_queue_group(topic, group.name))

    def seek(
        self, request: Request, group: QueueGroup, partition: Partition, start: Start
    ) -> Effects:
        """Begin anew anywhere; all leases there are lost."""
        backlog = group.backlogs[partition.number]
        floor = start.cursor(partition)
        effects = self._dispatch.begin([self._dispatch.void(group, backlog, "sought")])
        backlog.seek(floor)
        return effects + self._purge(group, backlog, request)

    def _purge(self, group: QueueGroup, backlog: Backlog, request: Request | None) -> Effects:
        """Write a seek: what was known before is forgotten little by little, if it is much."""
        answer: Effects = []
        if request is not None:
            log = backlog.partition.groups_log
            answer = [ReplyWhenDurable(log, None, request, Done())]
        if backlog.is_closed:
            return answer
        if backlog.ledger.purge_from is not None:
            backlog.ledger.purge()
        outcome = Outcome()
        outcome.change(group, backlog)
        effects = self._dispatch.finish(outcome)
        if backlog.ledger.purge_from is None:
            return effects + answer
        again = partial(self._purge, group, backlog, request)
        unasked = partial(self._purge, group, backlog, None)
        return [*effects, WhenDurable(backlog.partition.groups_log, again, request, unasked)]

    def info(self, group: QueueGroup, partition: Partition) -> GroupInfo:
        """A queue group as groups of either kind are described."""
        ledger = group.backlogs[partition.number].ledger
        return GroupInfo(
            kind="queue",
            cursor=ledger.settled.floor,
            lag=ledger.unsettled(),
            hold=group.terms.policy.hold,
            generation=0,
            members=len(group.consumers),
            member="",
            commit_time_us=0,
        )

    def load(self, topic: Topic, partition: Partition, entries: Mapping[bytes, bytes]) -> None:
        """What a group log holds of queue groups: all of it, or BadEntry is raised."""
        kept = queue_groups(entries)
        self._orphans[partition.groups_log] = orphans(entries)
        if not topic.groups.keys().isdisjoint(kept):
            raise BadEntry(f"{topic.groups.keys() & kept} are groups of a stream elsewhere")
        ledgers = {name: Ledger.load(name, partition, one) for name, one in kept.items()}
        for name, ledger in ledgers.items():
            group = topic.queue_groups.get(name)
            if group is None:
                group = QueueGroup(topic.info.topic_id, name, ledger.terms, topic.levels)
                self._topics.add_queue_group(topic, group)
            group.backlogs[partition.number] = Backlog(ledger)
            if ledger.terms.version > group.terms.version:
                group.terms = ledger.terms

    def loaded(self, topic: Topic) -> Effects:
        """All is read, of the topic's logs too: bring both together."""
        outcome = Outcome()
        purging: Effects = []
        for group in topic.queue_groups.values():
            group.set_terms(group.terms)
            for backlog in group.backlogs.values():
                purging += self._bring_together(group, backlog, outcome)
        orphaned = self._remove_orphans(topic)
        return [*orphaned, *self._dispatch.finish(outcome), *self.extend(topic), *purging]

    def _bring_together(self, group: QueueGroup, backlog: Backlog, outcome: Outcome) -> Effects:
        """What was written of a partition, and the records that are there; how a seek goes on."""
        backlog.ledger.forget_from(backlog.partition.durable_offset)
        backlog.waiting = len(backlog.ledger.troubles)
        backlog.forget_below(backlog.partition.first_offset)
        backlog.supply.restart()
        for offset, trouble in backlog.ledger.troubles.items():
            self._dispatch.retries.wait(group, backlog, offset, trouble)
        outcome.change(group, backlog)
        if backlog.ledger.purge_from is None:
            return []
        return self._purge(group, backlog, None)

    def regain(self, topic: Topic, partition: Partition, kept: Mapping[str, Kept]) -> Effects:
        """A partition comes back that the catalog had forgotten: what was written of groups that
        there are. Raises BadEntry."""
        ledgers = {name: Ledger.load(name, partition, one) for name, one in kept.items()}
        outcome = Outcome()
        purging: Effects = []
        for name, ledger in ledgers.items():
            group = topic.queue_groups[name]
            ledger.terms = group.terms
            backlog = group.backlogs[partition.number] = Backlog(ledger)
            purging += self._bring_together(group, backlog, outcome)
        return [*self._dispatch.finish(outcome), *purging]

    def _remove_orphans(self, topic: Topic) -> Effects:
        """Complete the deletions that a crash has cut short: a new group could find the rest."""
        effects: Effects = []
        for partition in topic.partitions:
            keys = self._orphans.pop(partition.groups_log, [])
            if not partition.groups_damage:
                effects += removing(partition, keys)
        return effects

    def extend(self, topic: Topic) -> Effects:
        """Groups want all partitions that there are, from the first record on."""
        outcome = Outcome()
        for group in topic.queue_groups.values():
            for partition in topic.partitions:
                if partition.number not in group.backlogs and not partition.groups_damage:
                    ledger = Ledger(group.name, partition, group.terms, partition.first_offset)
                    backlog = group.backlogs[partition.number] = Backlog(ledger)
                    outcome.change(group, backlog)
        return self._dispatch.finish(outcome)

    def truncated(self, topic: Topic, partition: Partition) -> Effects:
        """Records were removed, of which groups without ``hold`` may have needed some. Very many
        groups are told some at a time."""
        if partition.log in self._telling:
            self._telling[partition.log] = True  # those that were told already know too little
            return []
        self._telling[partition.log] = False
        return self._tell(topic, partition, iter(list(topic.queue_groups.values())))

    def _tell(self, topic: Topic, partition: Partition, groups: Iterator[QueueGroup]) -> Effects:
        number = partition.number
        some = list(islice(groups, _GROUPS_AT_ONCE))
        told = [(group, group.backlogs[number]) for group in some if number in group.backlogs]
        effects = self._forget_gone(told)
        if len(some) == _GROUPS_AT_ONCE:
            return [*effects, Later(partial(self._tell, topic, partition, groups))]
        is_more = self._telling.pop(partition.log)
        return effects + (self.truncated(topic, partition) if is_more else [])

    def _forget_gone(self, told: Iterable[tuple[QueueGroup, Backlog]]) -> Effects:
        outcome = Outcome()
        effects: Effects = []
        for group, backlog in told:
            first_offset = backlog.partition.first_offset
            if backlog.ledger.hold_offset < first_offset and not backlog.is_closed:
                self._take_gone(backlog, first_offset, effects)
                backlog.forget_below(first_offset)
                outcome.change(group, backlog)
        return effects + self._dispatch.finish(outcome)

    def _take_gone(self, backlog: Backlog, first_offset: int, effects: Effects) -> None:
        leases = backlog.leases.values()
        for lease in [lease for lease in leases if lease.runs[0][0] < first_offset]:
            runs = lease.take(0, first_offset)
            held = self._dispatch.leases.get(lease.lease_id) if runs else None
            if held is not None:
                tokens = [(lease.lease_id, first, end - first) for first, end in runs]
                backlog.leased -= sum(count for _, _, count in tokens)
                effects.append(TakeBack(held.consumer.key, tokens, "gone"))
                self._dispatch.leases.drop_if_done(held)

    def topic_deleted(self, topic: Topic) -> tuple[list[QueueGroup], Effects]:
        """End all groups of a topic that is not among the topics any more."""
        gone = Refusal("unknown_topic", f"topic {topic.info.name!r} was deleted")
        chores: list[Chore] = []
        effects: Effects = []
        for group in topic.queue_groups.values():
            for backlog in group.backlogs.values():
                chores.append(self._dispatch.void(group, backlog, "deleted"))
                self._dispatch.changed.forget(backlog.ledger)
                backlog.close()
            effects += [Detach(key, 0, 0, gone) for key in group.consumers]
        return list(topic.queue_groups.values()), self._dispatch.begin(chores) + effects


def removing(partition: Partition, keys: Sequence[bytes]) -> Effects:
    """Remove entries from a partition's group log."""
    return [
        PutState(partition.groups_log, dict.fromkeys(keys[first : first + _ENTRIES_AT_ONCE]))
        for first in range(0, len(keys), _ENTRIES_AT_ONCE)
    ]
