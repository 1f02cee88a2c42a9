"""Commands on queue groups: looking at them, changing them, and their dead records."""

from tapemq_broker.core.effects import Effects, Reply, Request
from tapemq_broker.core.queue.backlog import Backlog
from tapemq_broker.core.queue.dead_letters import Choice, DeadLetters
from tapemq_broker.core.queue.describing import describe
from tapemq_broker.core.queue.dispatch import Dispatch
from tapemq_broker.core.queue.explaining import explain
from tapemq_broker.core.queue.group import QueueGroup
from tapemq_broker.core.queue.groups import QueueGroups
from tapemq_broker.core.refusal import Refused
from tapemq_broker.core.results import TopicSettings
from tapemq_broker.core.topics import Topics


class Administration:
    """What operators ask for."""

    def __init__(self, topics: Topics, groups: QueueGroups, dispatch: Dispatch) -> None:
        self.groups = groups
        self._topics = topics
        self._dead = DeadLetters(dispatch)

    def describe(self, request: Request, topic_id: int, name: str, number: int) -> Effects:
        """State of a group on a partition."""
        group, backlog = self._find(topic_id, name, number)
        return [Reply(request, describe(group, backlog))]

    def explain(self, request: Request, topic_id: int, name: str, now_us: int) -> Effects:
        """Why a group is idle, or stuck."""
        group = self._topics.get(topic_id).queue_group(name)
        return [Reply(request, explain(group, now_us))]

    def alter(self, request: Request, topic_id: int, name: str, settings: TopicSettings) -> Effects:
        """Change settings of a group."""
        return self.groups.alter(request, topic_id, name, settings)

    def list_dead(
        self,
        request: Request,
        topic_id: int,
        name: str,
        number: int,
        *,
        after_offset: int = 0,
        reason: str = "",
    ) -> Effects:
        """A page of a group's dead records, from an offset on."""
        _, backlog = self._find(topic_id, name, number)
        return self._dead.page(request, backlog.ledger, after_offset, reason)

    def redrive(
        self,
        request: Request,
        topic_id: int,
        name: str,
        number: int,
        choice: Choice,
        *,
        now_us: int,
        rate_per_s: int = 0,
        dry_run: bool = False,
    ) -> Effects:
        """Let dead records live again."""
        group, backlog = self._find_settled(topic_id, name, number)
        if dry_run:
            return self._dead.count(request, backlog.ledger, choice)
        return self._dead.redrive(
            request, group, backlog, choice, now_us=now_us, rate_per_s=rate_per_s
        )

    def discard(
        self,
        request: Request,
        topic_id: int,
        name: str,
        number: int,
        choice: Choice,
        *,
        dry_run: bool = False,
    ) -> Effects:
        """Forget that records are dead."""
        group, backlog = self._find_settled(topic_id, name, number)
        if dry_run:
            return self._dead.count(request, backlog.ledger, choice)
        return self._dead.discard(request, group, backlog, choice)

    def _find_settled(self, topic_id: int, name: str, number: int) -> tuple[QueueGroup, Backlog]:
        """The same, but while a seek goes on."""
        group, backlog = self._find(topic_id, name, number)
        if backlog.ledger.purge_from is not None:
            raise Refused("group_busy", f"group {name!r} is being set to another offset; try again")
        return group, backlog

    def _find(self, topic_id: int, name: str, number: int) -> tuple[QueueGroup, Backlog]:
        topic = self._topics.get(topic_id)
        topic.partition(number).check_groups_usable()
        group = topic.queue_group(name)
        return group, group.backlogs[number]
