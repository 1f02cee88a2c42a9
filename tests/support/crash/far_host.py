"""Another host: a network namespace, on a cable that can be cut so that neither end notices."""

import os
import shutil

from tests.support.crash.powered_disk import run_tool

_NEAR, _FAR = "10.213.77.1", "10.213.77.2"


def missing() -> str:
    """Why this cannot be done here; empty if it can."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    for tool in ("ip", "nsenter"):
        if shutil.which(tool) is None:
            return f"a network namespace needs {tool}"
    return ""


class FarHost:
    """There between start() and stop(). Sees this host as ``near``."""

    near = _NEAR

    def __init__(self) -> None:
        self._name = f"tapemq-{os.getpid()}"
        self._cable = f"tmq{os.getpid()}"

    @property
    def prefix(self) -> list[str]:
        """Put in front of a command that is to run there.

        Not ``ip netns exec``: that holds on to all mounts of this moment, which then cannot be
        unmounted for good by others.
        """
        return ["nsenter", f"--net=/run/netns/{self._name}"]

    def start(self) -> None:
        """Make it, and the cable."""
        far_end = f"{self._cable}f"
        run_tool("ip", "netns", "add", self._name)
        peer = ("type", "veth", "peer", "name", far_end, "netns", self._name)
        run_tool("ip", "link", "add", self._cable, *peer)
        run_tool("ip", "address", "add", f"{_NEAR}/30", "dev", self._cable)
        run_tool(*self.prefix, "ip", "address", "add", f"{_FAR}/30", "dev", far_end)
        run_tool(*self.prefix, "ip", "link", "set", far_end, "up")
        self.connect()

    def cut(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        run_tool("ip", "link", "set", self._cable, "down")

    def connect(self) -> None:
        """The cable is whole again."""
        run_tool("ip", "link", "set", self._cable, "up")

    def stop(self) -> None:
        """Remove all of it."""
        run_tool("ip", "netns", "delete", self._name)
