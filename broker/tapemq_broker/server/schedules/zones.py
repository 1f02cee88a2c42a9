"""Time zones by their names."""

from datetime import tzinfo
from zoneinfo import ZoneInfo


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}") from None
