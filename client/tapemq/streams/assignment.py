"""One partition that a stream reads, or is about to read again."""

from tapemq.wire import messages as m


class Assignment:
    """Where reading stands in a partition.

    ``position``: the next offset to hand out (while a batch is being handed out: its start).
    ``committed``: the group has durably handled everything below.
    ``live``: the partition is this stream's now; deliveries and commits with ``generation`` count.
    ``release_by``: another member is waiting for it until then (monotonic seconds).
    """

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.subscription = 0
        self.generation = 0
        self.seek_epoch = 0
        self.position = 0
        self.committed = 0
        self.live = False
        self.release_by: float | None = None

    def assign(self, message: m.Assigned, known: bool) -> bool:
        """The partition is this stream's. Returns whether reading goes on where it was.

        It does when this stream was reading it (``known``) and nobody has moved the group since.
        """
        unmoved = known and message.seek_epoch == self.seek_epoch
        goes_on = unmoved and message.offset <= self.position
        self.subscription = message.subscription
        self.generation = message.generation
        self.seek_epoch = message.seek_epoch
        # The broker may assign from a position that is not on disk yet, and lose it. What this
        # stream has handed out counts as committed only when a commit of its own was answered.
        self.committed = min(self.committed, message.offset) if unmoved else message.offset
        if not goes_on:
            self.position = message.offset
        self.live = True
        self.release_by = None
        return goes_on
