"""Options that many commands have."""

from typing import Annotated, Final

import typer

from tapemq_broker.cli.setting_sources import URL_VARIABLE

DEFAULT_URL: Final = "tapemq://localhost:7077"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines, also on a terminal.")]

Url = Annotated[
    str,
    typer.Option("--url", envvar=URL_VARIABLE, metavar="URL", help="Address of the broker."),
]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
