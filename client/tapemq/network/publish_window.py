"""Flow control of publishing: how many bytes may await their receipts on a connection."""


class PublishWindow:
    """Counts the payload bytes in flight against what the broker allows."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.in_flight_bytes = 0
        self.blocked_because = ""

    @property
    def blocked(self) -> bool:
        """The broker takes no publishes at all now."""
        return self.size_bytes == 0

    def admits(self, payload_bytes: int) -> bool:
        """Whether a frame may be sent now. One may always be in flight, however large."""
        if not self.in_flight_bytes:
            return not self.blocked
        return self.in_flight_bytes + payload_bytes <= self.size_bytes

    def sent(self, payload_bytes: int) -> None:
        """A frame was sent."""
        self.in_flight_bytes += payload_bytes

    def answered(self, payload_bytes: int) -> None:
        """A frame was answered."""
        self.in_flight_bytes -= payload_bytes
