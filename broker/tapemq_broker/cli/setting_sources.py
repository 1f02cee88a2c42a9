"""Where settings come from: flag > environment > file > default."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tapemq_broker.cli.setting_text import read
from tapemq_broker.config import Setting, SettingError, Settings, Value, settings

PREFIX: Final = "TAPEMQ_"
CONFIG_VARIABLE: Final = "TAPEMQ_CONFIG"
URL_VARIABLE: Final = "TAPEMQ_URL"

_KNOWN: Final = {setting.name: setting for setting in settings()}
_OTHER_VARIABLES: Final = {CONFIG_VARIABLE, URL_VARIABLE}
# Kubernetes puts these into every pod beside a service that is named tapemq.
_SERVICE_LINK_NAMES: Final = ("TAPEMQ_SERVICE_", "TAPEMQ_PORT_")
_SERVICE_LINK_VALUES: Final = ("tcp://", "udp://")


class ConfigurationError(Exception):
    """The configuration cannot be used; the text says what is wrong, and where."""


class Given(NamedTuple):
    """A value as one source gives it."""

    value: Value
    origin: str


class Configuration(NamedTuple):
    """The settings, where each came from, and what looks like a mistake."""

    settings: Settings
    origins: dict[str, str]
    warnings: list[str]


def load(
    flags: Mapping[str, str | bool],
    environment: Mapping[str, str] = os.environ,
    file: str | None = None,
) -> Configuration:
    """The settings that the sources make together.

    `flags` maps names of settings to what was given; `file` names a TOML file (without it, the
    variable TAPEMQ_CONFIG does). Raises ConfigurationError.
    """
    file = file or environment.get(CONFIG_VARIABLE)
    given = dict(_from_file(Path(file))) if file else {}
    given.update(_from_environment(environment))
    given.update(_from_flags(flags))
    origins = {name: given[name].origin if name in given else "default" for name in _KNOWN}
    values: dict[str, Value] = {name: item.value for name, item in given.items()}
    try:
        result = Settings(**values)  # type: ignore[arg-type]
    except SettingError as error:
        raise _located(error, origins[error.name]) from None
    return Configuration(result, origins, list(_strange_variables(environment)))


def flag_name(name: str, value: object = True) -> str:
    """The flag that gives a setting this value; only switches have one for False."""
    return ("--no-" if value is False else "--") + name.replace("_", "-")


def _from_flags(flags: Mapping[str, str | bool]) -> Iterator[tuple[str, Given]]:
    for name, value in flags.items():
        yield name, _given(_KNOWN[name], value, f"flag {flag_name(name, value)}")


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Given]]:
    for setting in _KNOWN.values():
        variable = PREFIX + setting.name.upper()
        text = environment.get(variable, "")
        # An empty variable is an unset one: compose files and shells cannot say it otherwise.
        if text and not text.startswith(_SERVICE_LINK_VALUES):
            yield setting.name, _given(setting, text, f"environment {variable}")


def _from_file(path: Path) -> Iterator[tuple[str, Given]]:
    import tomllib

    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}") from None
    for name, value in entries.items():
        if name not in _KNOWN:
            raise ConfigurationError(f"{path}: there is no setting {name!r}{_hint(name)}")
        yield name, _given(_KNOWN[name], value, f"file {path}")


def _given(setting: Setting, value: object, origin: str) -> Given:
    try:
        if isinstance(value, str):
            return Given(read(setting, value), origin)
        setting.check(value)
    except SettingError as error:
        raise _located(error, origin) from None
    return Given(value, origin)  # type: ignore[arg-type]


def _located(error: SettingError, origin: str) -> ConfigurationError:
    return ConfigurationError(f"{error} (from {origin})")


def _strange_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or name in _KNOWN or variable in _OTHER_VARIABLES:
            continue
        if not variable.startswith(_SERVICE_LINK_NAMES):
            yield f"{variable} is set, but there is no setting {name!r}{_hint(name)}"


def _hint(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, _KNOWN, n=1)
    return f"; is {close[0]!r} meant?" if close else '; see "tapemq config show"'
