from pathlib import Path

import pytest

from tapemq_broker.cli.setting_text import read, read_number
from tapemq_broker.config import SettingError, Value, settings

SETTINGS = {setting.name: setting for setting in settings()}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "0", 0),
        ("connections_max", "10_000", 10_000),
        ("segment_bytes", "4096", 4096),
        ("segment_bytes", " 64 MiB ", 64 * 2**20),
        ("segment_bytes", "4.5KiB", 4608),
        ("retention_bytes", "2TiB", 2 * 2**40),
        ("retention_age_s", "7d", 604_800.0),
        ("retention_age_s", "90", 90.0),
        ("mark_idle_s", "100 ms", 0.1),
        ("heartbeat_s", "1.5 min", 90.0),
        ("sync", "off", False),
        ("sync", "True", True),
        ("host", "::1", "::1"),
        ("data_dir", "some/where", Path("some/where")),
        ("log_level", "debug", "debug"),
        ("disk_free_min_bytes", "0", 0),
    ],
)
def test_text_is_read(name: str, text: str, value: Value) -> None:
    found = read(SETTINGS[name], text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("port", "http", "a whole number, at least 0, at most 65,535"),
        ("port", "1.5", "a whole number, at least 0, at most 65,535"),
        ("port", "70000", "a whole number, at least 0, at most 65,535"),
        ("port", "7077 s", "a whole number, at least 0, at most 65,535"),
        ("sync", "maybe", "true or false"),
        ("host", "", "a text that is not empty"),
        ("data_dir", "", "a path"),
        ("data_dir", "~nobody-has-this-name/data", "a path"),
        ("port", "9" * 400, "a whole number, at least 0, at most 65,535"),
        ("log_level", "loud", "one of debug, info, warning, error"),
        ("heartbeat_s", "-1", "a number, at least 0.001, at most 1,000,000,000 (seconds)"),
        (
            "heartbeat_s",
            "15 MiB",
            'a number, at least 0.001, at most 1,000,000,000 (seconds), such as 90 or "1.5 min"',
        ),
        (
            "segment_bytes",
            "64 MB",
            (
                "a whole number, at least 4,096, at most 1,000,000,000,000,000 (bytes), "
                'such as 1048576 or "1 MiB"'
            ),
        ),
    ],
)
def test_other_text_is_refused_with_what_is_allowed(name: str, text: str, allowed: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(SETTINGS[name], text)
    assert (caught.value.name, caught.value.allowed) == (name, allowed)


@pytest.mark.parametrize(
    "text", ["", ".", "1.", "_", "1e9", "nan", "inf", "0x10", "1 2", "9" * 400]
)
def test_what_is_no_number(text: str) -> None:
    assert read_number(text) is None
