import pytest

from tapemq.schedules.inquiries import Name, name_of, wire_key


def test_a_schedule_is_named_by_its_id_or_its_key() -> None:
    assert name_of(7, None) == Name(7, b"")
    assert name_of(None, "k") == Name(0, b"k")
    assert name_of(None, b"k") == Name(0, b"k")
    for schedule_id, key in ((None, None), (7, "k")):
        with pytest.raises(ValueError, match="one of them"):
            name_of(schedule_id, key)


def test_a_key_is_not_empty() -> None:
    assert wire_key(None) == b""
    with pytest.raises(ValueError, match="not empty"):
        wire_key("")
