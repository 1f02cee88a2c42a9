"""The command line: `python -m tapemq` and the `tapemq` command."""

import sys

_BROKER_EXTRA = frozenset(
    {
        "aiofiles",
        "backports",
        "cronsim",
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


if __name__ == "__main__":
    sys.exit(main())
