"""Entry of the `tapemq` command."""

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments (default: of the process) name; its exit code.

    `serve` is found without the command-line framework, which would double its time to start.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["serve"]:
        from tapemq_broker.cli.serve import serve

        return serve(arguments[1:])
    from tapemq_broker.cli.app import run

    return run(arguments)
