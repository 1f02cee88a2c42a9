"""The names of a transcript, and the numbers that the core knows."""

from tapemq.batch import LogId, Role
from tapemq_broker.core.effects import SubscriptionKey
from tapemq_broker.core.generations import GENERATIONS_PER_BOOT
from tapemq_broker.core.queue.leases import LEASES_PER_BOOT

_NO_TOPIC = 999


class Names:
    """Topics and sessions by name; what each request was for."""

    def __init__(self) -> None:
        self.topics: dict[int, str] = {}
        self.sessions: dict[int, str] = {}
        self.requests: dict[int, str] = {}

    def new_topic(self, name: str) -> int:
        """An id that no topic had before."""
        topic_id = len(self.topics) + 1
        self.topics[topic_id] = name
        return topic_id

    def topic_id(self, name: str) -> int:
        """The newest topic of that name; an id without a topic if there is none."""
        return max(
            (known for known in self.topics if self.topics[known] == name), default=_NO_TOPIC
        )

    def log(self, place: str) -> LogId:
        """ "orders/1", or "orders" for its partition 0."""
        topic, _, partition = place.partition("/")
        return LogId(self.topic_id(topic), int(partition or 0), Role.DATA)

    def log_name(self, log: LogId) -> str:
        if log.role is Role.CATALOG:
            return "the catalog"
        groups = " groups" if log.role is Role.GROUPS else ""
        return f"{self.topics[log.topic_id]}/{log.partition}{groups}"

    def session(self, name: str) -> int:
        known = {other: number for number, other in self.sessions.items()}
        number = known.get(name, len(known) + 1)
        self.sessions[number] = name
        return number

    def key(self, who: str) -> SubscriptionKey:
        """ "anna", or "anna.2" for her subscription 2."""
        session, _, number = who.partition(".")
        return SubscriptionKey(self.session(session), int(number or 1))

    def who(self, key: SubscriptionKey) -> str:
        name = self.sessions[key.session]
        return name if key.subscription == 1 else f"{name}.{key.subscription}"


def generation_name(number: int, per_boot: int = GENERATIONS_PER_BOOT) -> str:
    """Which one of which boot."""
    boot, count = divmod(number, per_boot)
    return f"{boot}.{count}"


def lease_name(lease_id: int) -> str:
    """The same of a lease."""
    return generation_name(lease_id, LEASES_PER_BOOT)


def generation(name: str) -> int:
    """The inverse; "0" is nobody's."""
    boot, _, count = name.partition(".")
    return int(boot) * GENERATIONS_PER_BOOT + int(count or 0)
