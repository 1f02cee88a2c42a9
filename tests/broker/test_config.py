from dataclasses import FrozenInstanceError, fields
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from tapemq_broker.config import MIB, SettingError, Settings, settings

SIZE = "a whole number, at least 0, at most 1,000,000,000,000,000 (bytes)"


def test_defaults_are_allowed_and_described() -> None:
    default = Settings()
    for setting in settings():
        assert getattr(default, setting.name) == setting.default
        setting.check(setting.default)
        assert setting.about.text.endswith(".")
    assert [setting.name for setting in settings()] == [item.name for item in fields(Settings)]


def test_every_number_says_its_unit_in_its_name() -> None:
    units = {"bytes": ("_bytes", "_bytes_max"), "seconds": ("_s",), "": ("_max", "port", "threads")}
    for setting in settings():
        if setting.kind in (int, float):
            assert setting.name.endswith(units[setting.about.unit]), setting.name


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 0),
        ("port", 65_535),
        ("heartbeat_s", 15),
        ("heartbeat_s", 0.001),
        ("disk_free_min_bytes", None),
        ("disk_free_min_bytes", 0),
        ("sync", False),
        ("log_level", "debug"),
        ("record_bytes_max", 4 * MIB),
        ("data_dir", Path("elsewhere")),
    ],
)
def test_allowed_value(name: str, value: Any) -> None:
    assert getattr(Settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("port", -1, "a whole number, at least 0, at most 65,535"),
        ("port", 65_536, "a whole number, at least 0, at most 65,535"),
        ("port", True, "a whole number, at least 0, at most 65,535"),
        ("port", "7077", "a whole number, at least 0, at most 65,535"),
        ("port", None, "a whole number, at least 0, at most 65,535"),
        ("heartbeat_s", 0, "a number, at least 0.001, at most 1,000,000,000 (seconds)"),
        ("heartbeat_s", inf, "a number, at least 0.001, at most 1,000,000,000 (seconds)"),
        ("heartbeat_s", nan, "a number, at least 0.001, at most 1,000,000,000 (seconds)"),
        ("retention_age_s", inf, "a number, at least 0, at most 1,000,000,000 (seconds)"),
        ("heartbeat_s", 1e10, "a number, at least 0.001, at most 1,000,000,000 (seconds)"),
        ("disk_free_min_bytes", -1, f"{SIZE}, or left out"),
        ("publish_window_bytes", 1 << 64, SIZE.replace("0", "1,024", 1)),
        ("topics_max", 1 << 64, "a whole number, at least 1, at most 1,000,000,000"),
        ("sync", 1, "true or false"),
        ("host", "", "a text that is not empty"),
        ("data_dir", "text", "a path"),
        ("log_level", "loud", "one of debug, info, warning, error"),
        ("outbound_low_bytes", MIB, "at most outbound_high_bytes = 262144"),
        ("outbound_high_bytes", 9 * MIB, "at most outbound_bytes_max = 8388608"),
        ("record_bytes_max", 5 * MIB, "at most batch_bytes_max = 4194304"),
    ],
)
def test_refused_value_is_named_with_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings(**{name: value})
    error = caught.value
    assert (error.name, error.allowed) == (name, allowed)
    assert error.value is value
    assert str(error) == f"{name} = {value!r} is not allowed: it must be {allowed}"
