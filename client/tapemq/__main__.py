"""The command line: `python -m tapemq` and the `tapemq` command."""

import os
import sys

_BROKER_EXTRA = frozenset(
    {
        "aiofiles",
        "backports",
        "cronsim",
        "h11",
        "prometheus_client",
        "pyroaring",
        "rich",
        "starlette",
        "typer",
        "tzdata",
        "uvicorn",
        "uvloop",
        "zlib_ng",
    }
)
_MISSING_EXTRA = 'tapemq: the command line needs the broker extra: pip install "tapemq[broker]"'


def main() -> int | None:
    """Run the command in `sys.argv` and return its exit status; None means 0.

    Without the dependencies of the `broker` extra it says what to install and returns 2; `worker`
    needs none of them.
    """
    _open_standard_streams(sys.argv[1:2])
    if sys.argv[1:2] == ["worker"]:
        from tapemq.worker.command import main as work

        return work(sys.argv[2:])
    try:
        from tapemq_broker.cli.main import main as run

        return run()
    except ModuleNotFoundError as error:
        # Any other missing module is a fault of ours, which must stay visible.
        if (error.name or "").partition(".")[0] not in _BROKER_EXTRA:
            raise
        print(_MISSING_EXTRA, file=sys.stderr)
        return 2


def _open_standard_streams(command: list[str]) -> None:
    """Put the null device in the place of those that were closed before the start.

    Else files and connections get their numbers: what is written to standard error would go into
    one of them, and the event loop aborts the process when it closes such a one. Commands whose
    results nobody gets are to fail, and those that read nothing: for them it cannot be used.
    """
    usable = command in (["serve"], ["worker"])
    for name, flags, mode in (
        ("stdin", os.O_RDONLY if usable else os.O_WRONLY, "r"),
        ("stdout", os.O_WRONLY if usable else os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            # The lowest number that is free: that of the stream.
            descriptor = os.open(os.devnull, flags)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
