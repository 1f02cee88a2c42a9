import errno
import os
from datetime import datetime, timedelta
from functools import partial

import pytest

from tapemq_broker.server.schedules import zones
from tapemq_broker.server.schedules.zones import zone


def test_zones_have_their_offsets() -> None:
    assert datetime(2026, 7, 1, tzinfo=zone("Europe/Berlin")).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("name", ["Nowhere", "", "../etc/passwd", "\0", "Europe"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone(name)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
def test_one_that_cannot_be_read_now_may_be_there(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    zone.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(zones, "ZoneInfo", partial(fail, number))
        with pytest.raises(OSError, match=os.strerror(number)):
            zone("Asia/Kathmandu")
    assert zone("Asia/Kathmandu").tzname(None) is None


def fail(number: int, name: str) -> None:
    raise OSError(number, os.strerror(number))
