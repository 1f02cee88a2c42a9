"""The command line of `tapemq serve`: a flag for every setting."""

import argparse
from pathlib import Path
from typing import NamedTuple

from tapemq_broker.cli.setting_sources import CONFIG_VARIABLE, PREFIX, flag_name
from tapemq_broker.config import Setting, settings

_DESCRIPTION = """\
Start a broker. When it accepts connections it prints one line on standard output:
ready tapemq://HOST:PORT http://HOST:PORT. Its log goes to standard error.
"""
_EPILOG = f"""\
A setting is taken from its flag, else from the environment ({PREFIX}HTTP_PORT for --http-port),
else from the file, else its default. Sizes may have a suffix (64MiB), durations too (90s, 1.5h).
"tapemq config show" prints what is in effect, and where it comes from.

exit codes: 0 stopped, 2 wrong command line, 69 cannot listen, 70 the disk failed,
73 the data directory is locked, full or refused, 78 a setting is not allowed,
130 and 143 a second SIGINT or SIGTERM
"""


class ServeOptions(NamedTuple):
    """What the command line gave: settings by name, and the file with others."""

    flags: dict[str, str | bool]
    file: str | None


def parse(arguments: list[str]) -> ServeOptions:
    """Read the command line. Ends the process for --help, and with 2 for a wrong one."""
    given = vars(_parser().parse_args(arguments))
    file = given.pop("config", None)
    return ServeOptions(given, file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tapemq serve",
        usage="tapemq serve [--config FILE] [--SETTING VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        # A flag that was not given leaves no trace, so that other sources count.
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--config", metavar="FILE", help=f"TOML file with settings [{CONFIG_VARIABLE}]"
    )
    for setting in settings():
        _add(parser, setting)
    return parser


def _add(parser: argparse.ArgumentParser, setting: Setting) -> None:
    flag = flag_name(setting.name)
    text = f"{setting.about.text} {_shown_default(setting)}".rstrip().replace("%", "%%")
    if setting.kind is bool:
        action = argparse.BooleanOptionalAction
        parser.add_argument(flag, dest=setting.name, action=action, help=text)
    else:
        metavar = "|".join(setting.about.choices) or _metavar(setting)
        parser.add_argument(flag, dest=setting.name, metavar=metavar, help=text)


def _metavar(setting: Setting) -> str:
    unit = {"bytes": "SIZE", "seconds": "DURATION"}.get(setting.about.unit)
    return unit or {int: "NUMBER", Path: "PATH"}.get(setting.kind, "TEXT")


def _shown_default(setting: Setting) -> str:
    if setting.default is None:
        return ""
    return f"[{str(setting.default).lower() if setting.kind is bool else setting.default}]"
