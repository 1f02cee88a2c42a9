"""The command line without `serve`: finds the module of the command and runs it."""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import typer

from tapemq_broker.cli.exits import Exit

# Commands that are found before this module is imported, for --help: of the broker, of the SDK.
_ELSEWHERE: Final = {
    "serve": "Start a broker.",
    "worker": "Run the handlers of an application (see docs/workers.md).",
}

# Commands in the order of --help, with their modules in `commands`.
COMMANDS: Final = {
    "pub": "pub",
    "sub": "sub",
    "peek": "peek",
    "topic": "topic",
    "group": "group",
    "dead": "dead",
    "schedule": "schedule",
    "bench": "bench",
    "config": "config",
    "dump": "dump",
    "verify": "verify",
    "repair": "repair",
}

_EPILOG: Final = """\
Commands that talk to a broker find it by --url, else by TAPEMQ_URL, else at
tapemq://localhost:7077. Results are tables on a terminal, and JSON lines in a pipe or with --json;
progress goes to standard error. NO_COLOR is respected.

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the broker cannot be reached,
4 verify found damage, 73 a data directory is in use or refused, 78 a setting is not allowed,
130 and 143 ended by Ctrl-C or SIGTERM. For those of serve and worker see "tapemq serve --help" and
"tapemq worker --help".
"""


def run(arguments: list[str]) -> int:
    """Run the command that the arguments name; its exit code."""
    try:
        build(arguments)(args=arguments, prog_name="tapemq")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.OK
    return Exit.OK


def build(arguments: list[str]) -> typer.Typer:
    """The application with the command that comes first in the arguments, or with all of them.

    Only the module of that command is imported.
    """
    app = typer.Typer(
        name="tapemq",
        help="TapeMQ: a message broker with one durable log per topic.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    first = arguments[0] if arguments else ""
    chosen = [first] if first in COMMANDS else [*_ELSEWHERE, *COMMANDS]
    for name in chosen:
        _register(app, name)
    # With a single command typer would drop its name; a callback keeps it.
    app.callback()(_options)
    return app


def _register(app: typer.Typer, name: str) -> None:
    if name in _ELSEWHERE:
        app.command(name, help=_ELSEWHERE[name])(_root)
    else:
        module = import_module(f"tapemq_broker.cli.commands.{COMMANDS[name]}")
        module.register(app)


def _root() -> None:
    pass


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tapemq {version('tapemq')}")
        raise typer.Exit


def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass
