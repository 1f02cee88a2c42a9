from datetime import datetime, timedelta

import pytest

from tapemq_broker.server.schedules.zones import zone


def test_zones_have_their_offsets() -> None:
    assert datetime(2026, 7, 1, tzinfo=zone("Europe/Berlin")).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("name", ["Nowhere", "", "../etc/passwd", "\0", "Europe"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone(name)
