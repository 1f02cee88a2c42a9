from datetime import UTC, datetime, timedelta, timezone

import pytest

from tapemq.streams.start import Start, wire_start


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("earliest", ("earliest", 0)),
        ("latest", ("latest", 0)),
        (0, ("offset", 0)),
        (42, ("offset", 42)),
        (datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC), ("time", 1_000_005)),
        (datetime(1970, 1, 1, 0, 0, 1), ("time", 1_000_000)),  # noqa: DTZ001
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), ("time", 0)),
        (datetime(1960, 1, 1, tzinfo=UTC), ("time", 0)),
    ],
)
def test_start_is_translated(start: Start, expected: tuple[str, int]) -> None:
    assert wire_start(start) == expected


@pytest.mark.parametrize("start", ["first", -1, True, None, 1.5])
def test_what_is_no_start_is_refused(start: Start) -> None:
    with pytest.raises(ValueError, match="offset"):
        wire_start(start)
