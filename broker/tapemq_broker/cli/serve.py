"""`tapemq serve`: reads the settings and runs a broker until it is told to stop."""

import logging
import sys

from tapemq_broker.cli import logs
from tapemq_broker.cli.errors import complain
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.serve_options import parse
from tapemq_broker.cli.setting_sources import Configuration, ConfigurationError, load

_log = logging.getLogger("tapemq.serve")

SWITCH_INTERVAL_S = 0.0005
"""How long a sync that has returned may wait for the interpreter while the event loop computes.
With Python's 5 ms a round of one file took 16 ms beside a busy loop, with this 1.6."""


def serve(arguments: list[str]) -> int:
    """Run a broker with the settings of the command line, environment and file; its exit code."""
    options = parse(arguments)
    try:
        configuration = load(options.flags, file=options.file)
    except ConfigurationError as error:
        complain(str(error))
        return Exit.BAD_CONFIGURATION
    logs.set_up(configuration.settings.log_level, configuration.settings.log_format)
    _warn(configuration)
    return _run(configuration)


def _warn(configuration: Configuration) -> None:
    for warning in configuration.warnings:
        _log.warning(warning)
    if not configuration.settings.sync:
        _log.warning(
            "SYNCING IS OFF: a power cut or a crash of the machine LOSES records that were "
            "acknowledged as durable. For experiments only",
            extra={"origin": configuration.origins["sync"]},
        )


def _run(configuration: Configuration) -> int:
    import asyncio

    import uvloop

    from tapemq_broker.cli.broker_process import BrokerProcess

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(BrokerProcess(configuration.settings).run())
