"""Whether the broker should be sent work."""

from tapemq_broker.server.flow import DISK_LOW
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tapemq_broker.server.status import Status

Reading = Status | RecoveryProgress
"""How a broker is: the latter while it starts."""


def reasons_against(reading: Reading, draining: bool) -> dict[str, str]:
    """Why the broker is not ready, as short names with texts; empty when it is."""
    reasons = {}
    if draining:
        reasons["draining"] = "the broker is stopping"
    elif isinstance(reading, RecoveryProgress):
        reasons["recovering"] = str(reading)
    if isinstance(reading, Status) and reading.blocked == DISK_LOW:
        reasons[DISK_LOW] = (
            f"publishing is blocked: {reading.disk_free_bytes} bytes of disk are free, "
            f"{reading.disk_mark_bytes} must stay free"
        )
    return reasons
