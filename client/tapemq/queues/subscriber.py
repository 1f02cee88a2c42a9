"""Keeps a queue's subscription alive, and tells its desk what is pushed."""

from typing import TYPE_CHECKING

from tapemq.network.connection import Connection
from tapemq.network.link import Link
from tapemq.network.subscriptions import Subscriptions
from tapemq.queues.intake import QueueIntake
from tapemq.queues.message import Message
from tapemq.queues.options import QueueOptions
from tapemq.queues.reader import QueueReader

if TYPE_CHECKING:
    from tapemq.queues.desk import Desk


class QueueSubscriber(QueueReader[Connection], Subscriptions):
    """One queue's subscription on whichever connection there is."""

    desk: "Desk"

    def __init__(self, link: Link, options: QueueOptions) -> None:
        super().__init__(link, options.topic, options.timeout_s, "queue")
        self.options = options
        self.intake = QueueIntake(options.topic, Message)
