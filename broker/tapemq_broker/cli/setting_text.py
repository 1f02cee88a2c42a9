"""Settings as people write them: "64 MiB", "1.5 h", "yes"."""

import re
from math import isfinite
from pathlib import Path
from typing import Final

from tapemq_broker.config import Setting, SettingError, Value

SIZES: Final[dict[str, float]] = {
    "": 1,
    "b": 1,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
DURATIONS: Final[dict[str, float]] = {
    "": 1,
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "d": 86400,
}
_UNITS: Final = {"bytes": SIZES, "seconds": DURATIONS}
SWITCHES: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}

_NUMBER: Final = re.compile(r"([-+]?[0-9_]*\.?[0-9]+) *([a-z]*)", re.IGNORECASE)
_EXAMPLES: Final = {"bytes": 'such as 1048576 or "1 MiB"', "seconds": 'such as 90 or "1.5 min"'}


def read(setting: Setting, text: str) -> Value:
    """The value that the text stands for. Raises SettingError if the setting cannot have it."""
    value = _convert(setting, text.strip())
    if value is None:
        raise SettingError(setting.name, text, _allowed(setting))
    setting.check(value)
    return value


def _convert(setting: Setting, text: str) -> Value:
    """The value, or None if the text does not stand for one."""
    if setting.kind is bool:
        return SWITCHES.get(text.lower())
    if setting.kind is Path:
        return _path(text) if text else None
    if setting.kind is str:
        return text
    number = read_number(text, setting.about.unit)
    if setting.kind is int and number is not None:
        return int(number) if number == int(number) else None
    return number


def _path(text: str) -> Path | None:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # nobody's home directory
        return None


def read_number(text: str, unit: str = "") -> float | None:
    """A number with a suffix of its unit ("bytes" or "seconds"); None if it is not one."""
    units = _UNITS.get(unit, {"": 1.0})
    match = _NUMBER.fullmatch(text)
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        return None
    try:
        number = float(match[1]) * factor
    except ValueError:
        return None
    return number if isfinite(number) else None


def _allowed(setting: Setting) -> str:
    example = _EXAMPLES.get(setting.about.unit)
    return f"{setting.allowed}, {example}" if example else setting.allowed
