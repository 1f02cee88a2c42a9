"""Keeps a queue's subscription alive without asyncio, and tells its desk what is pushed."""

from tapemq.errors import Error
from tapemq.queues.intake import QueueIntake
from tapemq.queues.options import QueueOptions
from tapemq.queues.reader import QueueReader
from tapemq.sync.connection import Connection
from tapemq.sync.desk import Desk
from tapemq.sync.link import Link
from tapemq.sync.message import Message
from tapemq.sync.shared import Shared
from tapemq.sync.subscriptions import Subscriptions


class QueueSubscriber(QueueReader[Connection], Subscriptions):
    """One queue's subscription on whichever connection there is."""

    desk: Desk

    def __init__(self, link: Link, shared: Shared, options: QueueOptions) -> None:
        super().__init__(link, shared, options.topic, options.timeout_s, "queue")
        self.options = options
        self.intake = QueueIntake(options.topic, Message)
        name = f"{options.topic}, group {options.group}"
        self.desk = Desk(link, shared, self.intake, name, options.timeout_s)

    def after_fork(self, error: Error) -> None:
        super().after_fork(error)
        self.desk.after_fork()
