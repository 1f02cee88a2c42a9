"""The other side of warm_process.py: has everything imported, and forks who is to run a module.

``python -m tests.support.warm_parent SOCKET``. A request is a JSON object, and with it come the
standard streams, a pipe, and the mount namespace of who asks. The pipe tells the process id and,
at the end, the exit code, each in a line. Ends when nobody has the other end of the socket.
"""

import ctypes
import json
import os
import runpy
import signal
import socket
import sys
from importlib import import_module
from typing import Any, Final

_NEEDED: Final = (
    "tapemq",
    "tapemq_broker.cli.serve",
    "tapemq_broker.cli.broker_process",
    "tapemq_broker.admin.service",
    "uvloop",
)
_REQUEST_BYTES_MAX: Final = 1 << 18
_DESCRIPTORS: Final = 5
_CLONE_NEWNS: Final = 0x00020000


def main(control: socket.socket) -> None:
    """Returns at the end, and not at all in those that it has forked: see _run."""
    for module in _NEEDED:
        import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all; keepers are to report
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, _REQUEST_BYTES_MAX, _DESCRIPTORS)
        if not request:
            return
        if not os.fork():
            control.close()
            _keep(json.loads(request), *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(request: dict[str, Any], *descriptors: int) -> None:
    """Fork once more, tell of that process, and wait for it: in time, whoever lives by then."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, report, namespace = descriptors
    process = os.fork()
    if not process:
        os.close(report)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _enter(namespace)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _run(request)
        return
    for descriptor in (*streams, namespace):
        os.close(descriptor)
    os.write(report, b"%d\n" % process)
    _, status = os.waitpid(process, 0)
    os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _enter(namespace: int) -> None:
    """See the files that the one who asks sees: he may have mounted a disk for himself."""
    if not os.path.sameopenfile(namespace, (own := os.open("/proc/self/ns/mnt", os.O_RDONLY))):
        directory = os.getcwd()
        if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), "setns")
        os.chdir(directory)  # entering a namespace leads to its root
    os.close(own)
    os.close(namespace)


def _run(request: dict[str, Any]) -> None:
    """As ``python -m`` does. Raises what ends the process."""
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
