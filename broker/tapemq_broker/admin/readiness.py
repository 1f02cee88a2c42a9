"""Whether the broker should be sent work."""

from tapemq_broker.server.flow import DISK_LOW
from tapemq_broker.server.status import Status


def reasons_against(status: Status, draining: bool) -> dict[str, str]:
    """Why the broker is not ready, as short names with texts; empty when it is."""
    reasons = {}
    if draining:
        reasons["draining"] = "the broker is stopping"
    elif not status.ready:
        reasons["recovering"] = "the broker is reading its data directory"
    if status.blocked == DISK_LOW:
        reasons[DISK_LOW] = (
            f"publishing is blocked: {status.disk_free_bytes} bytes of disk are free, "
            f"{status.disk_mark_bytes} must stay free"
        )
    return reasons
