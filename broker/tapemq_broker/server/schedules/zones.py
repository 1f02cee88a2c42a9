"""Time zones by their names."""

import errno
from datetime import tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

_PASSING: Final = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])


@cache  # a zone that was found once must not be missing when something in it is due
def zone(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises ValueError; OSError if it cannot be read now."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _PASSING:
            raise
        raise ValueError(f"there is no time zone {name!r}") from None
