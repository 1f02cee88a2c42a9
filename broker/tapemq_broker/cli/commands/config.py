"""`tapemq config`: which settings are in effect, and where they come from."""

from typing import Annotated

import typer

from tapemq_broker.cli.command import command
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.options import AsJson
from tapemq_broker.cli.output import Output
from tapemq_broker.cli.setting_sources import Configuration, ConfigurationError, load
from tapemq_broker.config import settings

File = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="TOML file with settings [TAPEMQ_CONFIG]."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Show or check the settings of a broker.")
    group.command("show")(show)
    group.command("check")(check)
    app.add_typer(group, name="config")


@command
def show(file: File = None, as_json: AsJson = False) -> None:
    """Print every setting with its value, unit and origin."""
    configuration = _load(file)
    output = Output(as_json)
    output.rows(
        {
            "setting": setting.name,
            "value": _shown(getattr(configuration.settings, setting.name), output.as_json),
            "unit": setting.about.unit,
            "origin": configuration.origins[setting.name],
            "meaning": setting.about.text,
        }
        for setting in settings()
    )


@command
def check(file: File = None, as_json: AsJson = False) -> None:
    """Exit with 0 if a broker could start with the settings, else say what is wrong: 78."""
    warnings = _load(file).warnings
    output = Output(as_json)
    if output.as_json:
        output.row({"ok": True, "warnings": warnings})
        return
    for warning in warnings:
        print(f"warning: {warning}")
    print("the settings are fine")


def _load(file: str | None) -> Configuration:
    try:
        return load({}, file=file)
    except ConfigurationError as error:
        raise CommandError(str(error), code=Exit.BAD_CONFIGURATION) from None


def _shown(value: object, as_json: bool) -> object:
    """On a terminal a number has no separators: a port is no quantity, and all can be pasted."""
    plain = (isinstance(value, bool | int | float) and as_json) or isinstance(value, bool | None)
    return value if plain else str(value)
